"""Progress lines are true: each names the step of its measures, and none is empty."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from lightning_modules.callbacks.progress import ProgressLines


def lines(
    steps: dict[int, dict[str, float]], monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> list[str]:
    """Lines of a training that has these measures after each of its steps."""
    progress = ProgressLines(seconds=0.0)
    found: dict[str, float] = {}
    monkeypatch.setattr(progress, "get_metrics", lambda trainer, module: {"v_num": 0, **found})
    monkeypatch.setattr("lightning_modules.callbacks.progress.headline", lambda trainer: {})
    nothing: Any = torch.nn.Identity()
    for step, measures in steps.items():
        found.update(measures)
        trainer: Any = SimpleNamespace(global_step=step, max_steps=60, log_every_n_steps=25)
        progress.on_train_batch_end(trainer, nothing, None, None, 0)
    return capsys.readouterr().out.splitlines()


def test_a_line_says_which_step_was_measured(monkeypatch, capsys) -> None:
    measures = {1: {"train/bound": -9.0}, 2: {}, 24: {}, 25: {"train/bound": -5.0}, 26: {}}
    assert lines(measures, monkeypatch, capsys) == [
        "step 1 of 60: train/bound -9",
        "step 2 of 60 (measured at step 1): train/bound -9",
        "step 24 of 60 (measured at step 1): train/bound -9",
        "step 25 of 60: train/bound -5",
        "step 26 of 60 (measured at step 25): train/bound -5",
    ]


def test_a_resumed_training_says_nothing_before_it_has_measured(monkeypatch, capsys) -> None:
    measures = {31: {}, 49: {}, 50: {"train/bound": -4.0}}
    assert lines(measures, monkeypatch, capsys) == ["step 50 of 60: train/bound -4"]
