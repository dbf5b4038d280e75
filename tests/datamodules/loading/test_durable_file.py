"""Files that several runs may write at once, and that are whole after a kill."""

import errno
import os
from pathlib import Path

import pytest

from datamodules.loading.durable_file import clear_unfinished, replacing


def test_writers_at_once_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with replacing(path) as first:
        first.write(b"one")
        with replacing(path) as second:
            second.write(b"other")
        assert path.read_bytes() == b"other"
    assert path.read_bytes() == b"one" and [*tmp_path.iterdir()] == [path]


def test_a_file_is_on_the_disk_before_it_takes_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, fsync, synced = tmp_path / "a", os.fsync, []

    def noted(handle: int) -> None:
        synced.append((os.fstat(handle).st_size, path.exists()))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", noted)
    with replacing(path) as file:
        file.write(b"seven b")
    assert synced == [(7, False)]


def test_only_unfinished_files_are_cleared(tmp_path: Path) -> None:
    (tmp_path / "films.npy").touch()
    (tmp_path / ".films.npy.0.unfinished").touch()
    clear_unfinished(tmp_path)
    assert [*tmp_path.iterdir()] == [tmp_path / "films.npy"]


def test_nothing_half_written_takes_the_place_of_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with pytest.raises(OSError, match="full"), replacing(path) as file:
        file.write(b"ne")
        raise OSError(errno.ENOSPC, "full")
    assert path.read_bytes() == b"old" and [*tmp_path.iterdir()] == [path]
