"""Checkpoint files: every flipped bit is detected, and an interrupted write loses no file."""

import io
import os
import zipfile
from pathlib import Path

import pytest
import torch

from lightning_modules.records import checkpoint_file
from lightning_modules.records.checkpoint_file import (
    checksum_holds,
    clear_unfinished,
    sealed,
    second_name,
)
from lightning_modules.records.durable_file import write_durably


@pytest.fixture
def content() -> bytes:
    buffer = io.BytesIO()
    torch.save({"weight": torch.arange(3.0)}, buffer)
    return buffer.getvalue()


def test_every_flipped_bit_and_every_cut_is_found(content: bytes, tmp_path: Path) -> None:
    path, file = tmp_path / "a.ckpt", bytes(sealed(content))
    path.write_bytes(file)
    assert checksum_holds(path) is True
    for place in [*range(0, len(file), 97), *range(len(file) - 120, len(file))]:
        flipped = bytearray(file)
        flipped[place] ^= 1 << place % 8
        path.write_bytes(flipped)
        # A flip in the mark leaves a file without a checksum, but its format says that it had one.
        assert checksum_holds(path) is (None if 0 <= place - (len(file) - 71) < 7 else False)
    for length in (0, 10, 71, len(file) // 2, len(file) - 1):
        path.write_bytes(file[:length])
        assert checksum_holds(path) is not True


def test_a_sealed_file_is_read_as_before(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.ckpt"
    path.write_bytes(sealed(content))
    for mmap in (False, True):
        weight = torch.load(path, weights_only=True, mmap=mmap)["weight"]
        assert weight.tolist() == [0, 1, 2]
    with zipfile.ZipFile(path) as file:
        assert file.testzip() is None
        assert file.comment.startswith(b"sha256:")


def test_what_a_dead_process_has_left_is_cleared(tmp_path: Path) -> None:
    (tmp_path / ".last.ckpt.unfinished").touch()
    (tmp_path / "last.ckpt").touch()
    clear_unfinished(tmp_path)
    clear_unfinished(tmp_path / "nowhere")
    assert [p.name for p in tmp_path.iterdir()] == ["last.ckpt"]


def test_a_second_name_outlives_the_first(tmp_path: Path, monkeypatch) -> None:
    path, name = tmp_path / "last.ckpt", tmp_path / "kept"
    for linked in (True, False):
        if not linked:  # as on file systems without links
            monkeypatch.setattr(checkpoint_file.os, "link", lambda *names: os.stat("/nowhere"))
        path.write_bytes(b"old")
        assert second_name(path, name)
        write_durably(path, b"new")
        assert name.read_bytes() == b"old"
    assert not second_name(tmp_path / "nowhere", name)
