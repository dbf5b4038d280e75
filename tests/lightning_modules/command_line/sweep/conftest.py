"""Sweeps of a setting or two, without a model."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lightning_modules.command_line.sweep.study import SweepStudy
from lightning_modules.command_line.sweep.sweep_file import sweep_of

GRID = {"x": {"values": [1, 2, 3]}, "core": {"values": ["DNC", "NTM"]}}


@pytest.fixture
def opened(tmp_path: Path) -> Callable[..., SweepStudy]:
    """Opens the study of a sweep, a new one or that of before."""

    def open_(
        method: str = "grid",
        parameters: dict[str, Any] = GRID,
        settings: tuple[str, ...] = (),
        **others: Any,
    ) -> SweepStudy:
        content = {
            "program": "cli.py",
            "method": method,
            "metric": {"name": "val/x", "goal": "maximize"},
            "parameters": parameters,
            "command": ["fit", "${args}"],
            **others,
        }
        return SweepStudy(tmp_path, sweep_of(tmp_path / "s.yaml", content), settings)

    return open_
