"""Atomic replacement of files, also if writing fails at any moment."""

import errno
import os
from pathlib import Path

import pytest

from lightning_modules.records.durable_file import replacing, unfinished_file, write_durably
from lightning_modules.records.run_folder import write_json


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "results.json"
    path.write_text("old", encoding="utf-8")
    return path


def test_a_full_disk_leaves_the_old_file(file: Path):
    with pytest.raises(OSError, match="No space"), replacing(file) as new:
        new.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert [path.name for path in file.parent.iterdir()] == ["results.json"]
    assert file.read_bytes() == b"old"


def test_the_new_file_is_on_the_disk_before_it_takes_its_place(
    file: Path, monkeypatch: pytest.MonkeyPatch
):
    order: list[str] = []
    fsync, replace = os.fsync, os.replace

    def synced(handle: int) -> None:
        place = Path(os.readlink(f"/proc/self/fd/{handle}"))
        order.append(
            f"fsync {place.name}, {len(place.read_bytes()) if place.is_file() else 'folder'}"
        )
        fsync(handle)

    def replaced(source: Path, to: Path) -> None:
        order.append(f"replace {source.name} {to.name}")
        assert source.parent == to.parent, "a rename across file systems copies"
        replace(source, to)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    write_durably(file, b"new one")
    assert order == [
        "fsync .results.json.unfinished, 7",
        "replace .results.json.unfinished results.json",
        f"fsync {file.parent.name}, folder",
    ]
    assert file.read_bytes() == b"new one"


def test_what_a_dead_writer_left_is_cleared(file: Path):
    unfinished_file(file).write_bytes(b"of a longer content than the new one has")
    write_json(file, {"größer": "→"})
    assert [path.name for path in file.parent.iterdir()] == ["results.json"]
    assert file.read_text(encoding="utf-8") == '{\n  "gr\\u00f6\\u00dfer": "\\u2192"\n}\n'
