"""Keeps two training processes from writing into the same run's folder."""

import errno
import os
import sys
import time

from lightning_modules.command_line.sweep.lock import locked
from lightning_modules.command_line.usage_error import UsageError
from lightning_modules.records.run_folder import RunFolder, shown

#: Seconds to wait for the workers of a killed training process to end.
PATIENCE = 5.0


def hold(folder: RunFolder) -> int | None:
    """Lock a run's folder until the returned descriptor is closed or this process ends.

    Returns:
        the lock's descriptor; None if the file system has no locks.

    Raises:
        UsageError: another process is training in the folder.
    """
    if sys.platform == "win32":
        print(
            f"Windows cannot lock {shown(folder.path)}: train only one run in it at a time",
            flush=True,
        )
        return None
    descriptor = os.open(folder.path, os.O_RDONLY)
    try:
        return _wait_for(folder, descriptor)
    except OSError as failure:
        os.close(descriptor)
        if failure.errno != errno.EBADF:
            print(f"{shown(folder.path)} cannot be locked: {failure.strerror}", flush=True)
            return None
    # NFS locks only writable files, and a folder cannot be opened for writing.
    descriptor = os.open(folder.path / ".lock", os.O_RDWR | os.O_CREAT, 0o666)
    return _wait_for(folder, descriptor)


def _wait_for(folder: RunFolder, descriptor: int) -> int:
    until = time.monotonic() + PATIENCE
    while not locked(descriptor):
        if time.monotonic() > until:
            os.close(descriptor)
            raise UsageError(
                f"ckpt_path: another process trains in {shown(folder.path)}, perhaps a job of this "
                "run; wait until it ends, or train in a copy of the folder"
            )
        time.sleep(0.1)
    return descriptor
