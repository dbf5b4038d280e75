"""Atomic replacement of files: readers see the old or the new one, even after a crash."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a file that replaces another once it is completely on disk.

    It is written beside its destination: a temporary folder may be full, or on another file system,
    where a move is not atomic. Its name is fixed, so that leftovers of a dead process are
    overwritten.

    Raises:
        OSError: the new file cannot be written; the old one is unchanged.
    """
    unfinished = unfinished_file(path)
    try:
        with open(unfinished, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    except BaseException:
        with suppress(OSError):
            unfinished.unlink()
        raise
    sync_folder(path.parent)


def write_durably(path: Path, content: bytes | bytearray) -> None:
    """Replace a file's content atomically; its folder is created if needed.

    Raises:
        OSError: the new file cannot be written; the old one is unchanged.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        file.write(content)


def unfinished_file(path: Path) -> Path:
    """Return the temporary name of a file while it is being written."""
    return path.with_name(f".{path.name}.unfinished")


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries to disk, where the system supports it."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
