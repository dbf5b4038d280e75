"""Facts about a training outlive later commands."""

import sys
from unittest.mock import MagicMock

import pytest

from lightning_modules.callbacks import training_origin
from lightning_modules.callbacks.training_origin import TrainingOrigin


def test_seed_and_command_are_of_the_first_training(monkeypatch: pytest.MonkeyPatch) -> None:
    first, resumed = TrainingOrigin(3), TrainingOrigin(4)
    monkeypatch.setattr(sys, "argv", ["cli.py", "fit", "--run", "a b"])
    monkeypatch.setattr(training_origin, "revision", lambda: "old")
    monkeypatch.setattr(training_origin, "hardware", lambda device: "a GPU")
    first.on_train_start(MagicMock(ckpt_path=None), MagicMock())
    monkeypatch.setattr(sys, "argv", ["cli.py", "test"])
    resumed.load_state_dict(first.state_dict())
    resumed.on_train_start(MagicMock(ckpt_path="last.ckpt"), MagicMock())
    assert (resumed.seed, resumed.of_command) == (3, 4)
    assert (resumed.command, resumed.revision) == ("cli.py fit --run 'a b'", "old")
    assert resumed.hardware == "a GPU"


def test_all_code_that_trained_is_named_once(monkeypatch: pytest.MonkeyPatch) -> None:
    origin = TrainingOrigin(3)
    monkeypatch.setattr(training_origin, "hardware", lambda device: "a GPU")
    commits = (("old", None), ("new+", "x"), ("old", "x"), (None, "x"), ("new", "x"))
    for commit, checkpoint in commits:
        monkeypatch.setattr(training_origin, "revision", lambda commit=commit: commit)
        origin.on_train_start(MagicMock(ckpt_path=checkpoint), MagicMock())
    assert origin.revision == "old and new+ and new"
    installed = TrainingOrigin(3)
    monkeypatch.setattr(training_origin, "revision", lambda: None)
    for checkpoint in (None, "x"):
        installed.on_train_start(MagicMock(ckpt_path=checkpoint), MagicMock())
    assert installed.revision is None, "no checkout trained"


def test_all_machines_that_trained_are_named_once(monkeypatch: pytest.MonkeyPatch) -> None:
    origin = TrainingOrigin(3)
    for machine, checkpoint in (("A", None), ("B", "x"), ("A", "x"), ("B", "x")):
        monkeypatch.setattr(training_origin, "hardware", lambda device, machine=machine: machine)
        origin.on_train_start(MagicMock(ckpt_path=checkpoint), MagicMock())
    assert origin.hardware == "A and B"
    before = TrainingOrigin(3)
    before.load_state_dict({"seed": 3, "command": "cli.py fit", "revision": "old"})
    before.on_train_start(MagicMock(ckpt_path="x"), MagicMock())
    assert before.hardware == "B", "a checkpoint of before names none"


def test_nothing_is_known_without_a_training() -> None:
    origin = TrainingOrigin(4)
    assert origin.seed is None and origin.command is None and origin.revision is None
