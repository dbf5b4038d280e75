"""On Windows (simulated), unsupported features report that in one line."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from datamodules.rooms.filming import FilmingFailed, require_engine
from lightning_modules.command_line.memory_estimate import available_bytes
from lightning_modules.command_line.run_lock import hold
from lightning_modules.records.run_folder import RunFolder
from lightning_modules.speed.preparation import prepare
from memory_cores.kernels import building


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulates Windows, without Linux's features."""
    monkeypatch.setattr(sys, "platform", "win32")
    for name in ("fcntl", "resource"):
        monkeypatch.setitem(sys.modules, name, None)


@pytest.mark.parametrize("words", [["sweep", "conf/sweeps/maze_cores.yaml"], ["reproduce", "A2"]])
@pytest.mark.usefixtures("windows")
def test_commands_with_processes_are_refused(words: list[str], complaint: Callable[..., str]):
    said = complaint(*words)
    assert said == f"error: {words[0]}: needs locks and signals that Windows lacks; " + (
        "run this in WSL\n"
    )


@pytest.mark.usefixtures("windows")
def test_rooms_are_refused() -> None:
    with pytest.raises(FilmingFailed, match="cannot be rendered on Windows"):
        require_engine()


@pytest.mark.operators
@pytest.mark.usefixtures("windows")
def test_a_training_goes_on_without_locks_and_operators(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "_built", False)
    monkeypatch.setattr(building, "_failure", None)
    assert hold(RunFolder(tmp_path)) is None
    prepare()
    lock, operators = capsys.readouterr().out.splitlines()
    assert lock == f"Windows cannot lock {tmp_path}: train only one run in it at a time"
    assert operators.endswith("written for gcc and clang, not for Windows' compiler")
    monkeypatch.setattr(Path, "is_file", lambda path: False)
    assert available_bytes("cpu") > 2**60, "nothing is refused for want of memory"
