"""The reference of the documentation site has everything that can be chosen."""

from pathlib import Path

import pytest

import datamodules
from datamodules import BenchmarkDataModule
from lightning_modules import MODELS
from memory_cores import CORES

REFERENCE = Path(__file__).parents[1] / "docs" / "api"
BENCHMARKS = [
    kind
    for kind in vars(datamodules).values()
    if isinstance(kind, type) and issubclass(kind, BenchmarkDataModule)
]


@pytest.mark.parametrize("kind", [*CORES, *MODELS, *BENCHMARKS], ids=lambda kind: kind.__name__)
def test_is_in_the_reference(kind: type) -> None:
    pages = "".join(page.read_text(encoding="utf-8") for page in REFERENCE.glob("*.md"))
    assert f".. automodule:: {kind.__module__}\n" in pages
