"""What W&B is told of a run."""

from pathlib import Path

import pytest

from lightning_modules.command_line.loggers import run_loggers
from lightning_modules.command_line.run_folder import RunFolder


def test_wandb_is_told_what_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    folder = RunFolder.create(tmp_path, "maze", "run")
    _, logger = run_loggers(folder, ["GTMM", "DNC", "maze", "x" * 70])
    told = logger._wandb_init
    assert told["tags"] == ["GTMM", "DNC", "maze", "x" * 64]
    assert (told["name"], told["group"]) == ("maze/run", "maze")
    assert "anonymous" not in told
