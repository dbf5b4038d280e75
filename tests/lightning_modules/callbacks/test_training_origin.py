"""Facts about a training outlive later commands."""

import sys
from unittest.mock import MagicMock

import pytest

from lightning_modules.callbacks import training_origin
from lightning_modules.callbacks.training_origin import TrainingOrigin


def test_all_is_of_the_first_training(monkeypatch: pytest.MonkeyPatch) -> None:
    first, resumed = TrainingOrigin(3), TrainingOrigin(4)
    monkeypatch.setattr(sys, "argv", ["cli.py", "fit", "--run", "a b"])
    monkeypatch.setattr(training_origin, "revision", lambda: "old")
    first.on_train_start(MagicMock(ckpt_path=None), MagicMock())
    monkeypatch.setattr(sys, "argv", ["cli.py", "test"])
    monkeypatch.setattr(training_origin, "revision", lambda: "new")
    resumed.load_state_dict(first.state_dict())
    resumed.on_train_start(MagicMock(ckpt_path="last.ckpt"), MagicMock())
    assert (resumed.seed, resumed.of_command) == (3, 4)
    assert (resumed.command, resumed.revision) == ("cli.py fit --run 'a b'", "old")


def test_nothing_is_known_without_a_training() -> None:
    origin = TrainingOrigin(4)
    assert origin.seed is None and origin.command is None and origin.revision is None
