"""The message at the end of a run."""

import shlex
import sys
from pathlib import Path

import pytest

from lightning_modules.command_line import closing_message
from lightning_modules.command_line.closing_message import after_fit, after_interruption, program
from lightning_modules.installation import ROOT
from lightning_modules.records.run_folder import RunFolder


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    folder = RunFolder.create(tmp_path / "my runs", "maze", "run")
    folder.checkpoints.mkdir()
    folder.last_checkpoint.touch()
    return folder


def test_commands_can_be_pasted(folder: RunFolder):
    said = after_fit(folder, steps=10, other_core="NoMemory").splitlines()
    commands = [shlex.split(line.partition(":  ")[2]) for line in said if "cli.py" in line]
    assert [command[2] for command in commands] == ["test", "predict", "fit", "fit", "compare"]
    assert commands[0][-1] == str(folder.last_checkpoint)
    assert commands[2][-1] == "--trainer.max_steps=20"


def test_a_comparison_is_never_of_the_whole_working_folder(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
):
    assert " compare 'my runs' --out" in after_fit(folder, 1, None).replace(
        f"{folder.path.parents[2]}/", ""
    )
    monkeypatch.chdir(folder.path.parents[1])
    assert " compare maze --out" in after_fit(folder, 1, None)


def test_best_state_is_measured_once_there_is_one(folder: RunFolder):
    folder.best_checkpoint.touch()
    assert "test --ckpt_path" in after_fit(folder, 10, None)
    assert str(folder.best_checkpoint) in after_fit(folder, 10, None)


def test_model_without_a_core_has_none_to_change(folder: RunFolder):
    assert "--model.memory" not in after_fit(folder, 10, None)


def test_nothing_to_resume_is_said(folder: RunFolder):
    assert "Resume: " in after_interruption(folder)
    assert "Interrupted by SIGTERM; " in after_interruption(folder, "SIGTERM")
    folder.last_checkpoint.unlink()
    assert "Resume: " not in after_interruption(folder)


def test_interpreter_is_named_as_it_was_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    inside = tmp_path / ".venv/bin/python"
    inside.parent.mkdir(parents=True)
    inside.symlink_to(sys.executable)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("sys.executable", str(inside))
    assert program() == f".venv/bin/python {ROOT}/cli.py", "as it is called from elsewhere"
    monkeypatch.setattr("sys.executable", "/elsewhere/my env/python")
    monkeypatch.chdir(ROOT)
    assert program() == "'/elsewhere/my env/python' cli.py"


def test_interpreter_on_the_path_needs_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "python").symlink_to(sys.executable)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    monkeypatch.chdir(ROOT)
    assert program() == "python cli.py"


def test_command_is_named_as_it_was_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Of an environment that is not active, the command needs its folder."""
    command = tmp_path / "env/bin/gtmm"
    command.parent.mkdir(parents=True)
    command.touch(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", [str(command), "fit"])
    monkeypatch.setenv("PATH", "")
    assert program() == "env/bin/gtmm"
    monkeypatch.setenv("PATH", str(command.parent))
    assert program() == "gtmm"


def test_where_there_is_no_checkout_the_command_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A sweep starts its runs by the file that a wheel has, which nobody types."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", [str(tmp_path / "lib/gtmm/cli.py"), "fit"])
    monkeypatch.setattr("sys.executable", str(tmp_path / "bin/python"))
    monkeypatch.setattr(closing_message, "IN_CHECKOUT", False)
    assert program() == "bin/gtmm"
