"""What a run says when it is over."""

import shlex
from pathlib import Path

import pytest

from lightning_modules.command_line.closing_message import after_fit, after_interruption
from lightning_modules.command_line.run_folder import RunFolder


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    folder = RunFolder.create(tmp_path / "my runs", "maze", "run")
    folder.checkpoints.mkdir()
    folder.last_checkpoint.touch()
    return folder


def test_commands_can_be_pasted(folder: RunFolder):
    said = after_fit(folder, steps=10, other_core="NoMemory").splitlines()
    commands = [shlex.split(line[line.index("python") :]) for line in said if "python" in line]
    assert [command[2] for command in commands] == ["test", "predict", "fit", "fit"]
    assert commands[0][-1] == str(folder.last_checkpoint)
    assert commands[2][-1] == "--trainer.max_steps=20"


def test_best_state_is_measured_once_there_is_one(folder: RunFolder):
    folder.best_checkpoint.touch()
    assert "test --ckpt_path" in after_fit(folder, 10, None)
    assert str(folder.best_checkpoint) in after_fit(folder, 10, None)


def test_model_without_a_core_has_none_to_change(folder: RunFolder):
    assert "--model.memory" not in after_fit(folder, 10, None)


def test_nothing_to_resume_is_said(folder: RunFolder):
    assert "Resume: " in after_interruption(folder)
    folder.last_checkpoint.unlink()
    assert "Resume: " not in after_interruption(folder)
