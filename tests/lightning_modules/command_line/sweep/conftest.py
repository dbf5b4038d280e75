"""Sweeps of a setting or two, without a model."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lightning_modules.command_line.sweep.study import SweepStudy
from lightning_modules.command_line.sweep.sweep_file import sweep_of

GRID = {"x": {"values": [1, 2, 3]}, "core": {"values": ["DNC", "NTM"]}}


@pytest.fixture(autouse=True)
def unsynchronised(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare databases the waiting for the disk: nobody cuts the power off here."""
    connect = sqlite3.connect

    def connected(*arguments: Any, **others: Any) -> sqlite3.Connection:
        made = connect(*arguments, **others)
        made.execute("PRAGMA synchronous = OFF")
        return made

    monkeypatch.setattr(sqlite3, "connect", connected)


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
