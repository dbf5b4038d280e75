"""Files that are replaced at one stroke: the old or the new one is there, whatever happens."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a file that takes the place of another once all of it is on the disk.

    It is written beside its destination: a temporary folder may be full, or on another file system,
    from which nothing can be moved at one stroke. Its name is always the same, so that what a dead
    writer left is written over.

    Raises:
        OSError: the new file cannot be written; the old one is left as it was.
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
    """Replace a file by other content; its folder is made if there is none.

    Raises:
        OSError: the new file cannot be written; the old one is left as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        file.write(content)


def unfinished_file(path: Path) -> Path:
    """Return the name of a file while it is written."""
    return path.with_name(f".{path.name}.unfinished")


def sync_folder(folder: Path) -> None:
    """Write a folder's entries to the disk, where the system can."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
