"""Locks that the system releases when their holder ends, however it ends."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lightning_modules.command_line.usage_error import UsageError
from lightning_modules.records.run_folder import shown


def locked(file: int) -> bool:
    """Lock an open file for all processes that inherit it; False if others have locked it.

    Args:
        file: the file's descriptor.
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
        UsageError: a sweep is already running there.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        if not locked(descriptor):
            raise UsageError(f"a sweep is already running in {shown(folder)}")
        yield
    finally:
        os.close(descriptor)
