"""Only one training is at work in a run's folder, on whatever file system."""

import errno
import fcntl
import os
import stat
from pathlib import Path

import pytest

from lightning_modules.command_line import run_lock
from lightning_modules.command_line.run_lock import hold
from lightning_modules.command_line.usage_error import UsageError
from lightning_modules.records.run_folder import RunFolder


@pytest.mark.parametrize("takes_folders", [True, False])
def test_a_second_one_is_kept_out(takes_folders: bool, tmp_path: Path, monkeypatch) -> None:
    """NFS answers EBADF for a folder."""
    lock = fcntl.flock

    def flock(file: int, how: int) -> None:
        if not takes_folders and stat.S_ISDIR(os.fstat(file).st_mode):
            raise OSError(errno.EBADF, "Bad file descriptor")
        lock(file, how)

    monkeypatch.setattr(fcntl, "flock", flock)
    monkeypatch.setattr(run_lock, "PATIENCE", 0.1)
    first = hold(RunFolder(tmp_path))
    with pytest.raises(UsageError, match=f"another process trains in {tmp_path}"):
        hold(RunFolder(tmp_path))
    os.close(first)
    os.close(hold(RunFolder(tmp_path)))
    assert (tmp_path / ".lock").exists() is not takes_folders


def test_a_file_system_without_locks_is_named(tmp_path: Path, monkeypatch, capsys) -> None:
    def flock(file: int, how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    assert hold(RunFolder(tmp_path)) is None
    assert capsys.readouterr().out == f"{tmp_path} cannot be locked: No locks available\n"
