"""Progress is true: lines name the step of their measures, and a bar fits a small terminal."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from lightning_modules.callbacks.progress import Bar, ProgressLines


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


def test_a_bar_fits_80_columns_and_counts_on_from_where_a_training_stands(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It shows the bound and the headline, and not how fast a batch is."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "24")
    measured = {"v_num": 0, "train/bound": -3638.1234, "train/sequences_per_second": 300.1}
    best = {"val/recall_ratio_late": 0.47951}
    bar, nothing = Bar(), torch.nn.Identity()
    monkeypatch.setattr(bar, "get_metrics", lambda trainer, module: measured)
    monkeypatch.setattr("lightning_modules.callbacks.progress.headline", lambda trainer: best)
    trainer: Any = SimpleNamespace(
        global_step=2000, estimated_stepping_batches=3000, state=SimpleNamespace(fn="fit")
    )
    bar.on_train_start(trainer, nothing)
    trainer.global_step = 2001
    bar.on_train_batch_end(trainer, nothing, None, None, 0)
    bar.print("validation at step 2,001")
    bar.on_validation_start(trainer, nothing)
    bar.on_validation_batch_end(trainer)
    bar.teardown(trainer, nothing, "fit")
    drawn = capsys.readouterr().out
    assert "validation at step 2,001\n" in drawn
    shown = [line for line in drawn.replace("\n", "\r").split("\r") if "/3000" in line]
    assert shown[0].startswith("2000/3000 |") and shown[-1].startswith("2001/3000 |")
    assert any(line.endswith(", validating") for line in shown)
    assert any(line.endswith(", bound -3638, val/recall_ratio_late 0.4795") for line in shown)
    assert max(map(len, shown)) < 80


def test_a_process_that_is_not_the_first_draws_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    bar = Bar()
    bar.disable()
    bar.on_test_start(SimpleNamespace(num_test_batches=[3]), torch.nn.Identity())
    bar.on_test_batch_end()
    bar.print("validation")
    assert capsys.readouterr().out == ""
