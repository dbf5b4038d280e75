"""Locks that the system lets go of when their holder ends, however it ends."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lightning_modules.command_line.usage_error import UsageError
from lightning_modules.records.run_folder import shown


def locked(file: int) -> bool:
    """Lock an open file for all processes that inherit it; False if others hold it.

    Args:
        file: its descriptor.
    """
    import fcntl  # which Windows lacks

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # the latter from NFS
        return False
    return True


@contextmanager
def only_sweep_in(folder: Path) -> Iterator[None]:
    """Keep other sweeps out of a folder.

    Raises:
        UsageError: one is in there.
    """
    held = os.open(folder, os.O_RDONLY)
    try:
        if not locked(held):
            raise UsageError(f"a sweep is already running in {shown(folder)}")
        yield
    finally:
        os.close(held)
