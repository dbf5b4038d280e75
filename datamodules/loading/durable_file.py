"""Atomic replacement of files in the data folder, which several runs may write at once."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a file that replaces another once it is completely on disk.

    Readers see the old file or the new one, even after a crash. Of several writers, even on several
    machines, each writes its own file beside the destination, and the last replaces it.

    Raises:
        OSError: it cannot be written; unlike Python's, its `filename` is set.
    """
    unfinished = unfinished_file(path)
    try:
        with unfinished.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException as failure:
        with suppress(OSError):
            unfinished.unlink()
        if isinstance(failure, OSError):
            failure.filename = str(path)
        raise


def unfinished_file(path: Path) -> Path:
    """Return a new temporary name for a file while it is being written."""
    return path.with_name(f".{path.name}.{uuid4().hex}.unfinished")


def clear_unfinished(folder: Path) -> None:
    """Remove what dead writers left in a folder into which nobody else writes now."""
    for path in folder.glob(".*.unfinished"):
        path.unlink(missing_ok=True)
