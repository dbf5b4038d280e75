"""Benchmarks that the package exports, so that new ones are tested automatically."""

from inspect import isabstract
from typing import TypeVar

import datamodules
from datamodules import BenchmarkDataModule

Kind = TypeVar("Kind", bound=BenchmarkDataModule)


def benchmarks(kind: type[Kind]) -> list[type[Kind]]:
    """All benchmarks of a kind, without base classes."""
    exported = (getattr(datamodules, name) for name in datamodules.__all__)
    return [found for found in exported if issubclass(found, kind) and not isabstract(found)]
