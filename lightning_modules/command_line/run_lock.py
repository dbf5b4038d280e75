"""Keeps two trainings from writing into the same run's folder."""

import errno
import os
import sys
import time

from lightning_modules.command_line.sweep.lock import locked
from lightning_modules.command_line.usage_error import UsageError
from lightning_modules.records.run_folder import RunFolder, shown

#: Seconds to wait for the workers of a killed training to end.
PATIENCE = 5.0


def hold(folder: RunFolder) -> int | None:
    """Lock a run's folder until what is returned is closed, or this process ends.

    Returns:
        its descriptor; None where the file system has no locks.

    Raises:
        UsageError: another process trains in it.
    """
    if sys.platform == "win32":
        print(
            f"Windows cannot lock {shown(folder.path)}: run only one training in it at a time",
            flush=True,
        )
        return None
    held = os.open(folder.path, os.O_RDONLY)
    try:
        return _wait_for(folder, held)
    except OSError as failure:
        os.close(held)
        if failure.errno != errno.EBADF:
            print(f"{shown(folder.path)} cannot be locked: {failure.strerror}", flush=True)
            return None
    # NFS locks only what may be written, which a folder may not.
    held = os.open(folder.path / ".lock", os.O_RDWR | os.O_CREAT, 0o666)
    return _wait_for(folder, held)


def _wait_for(folder: RunFolder, held: int) -> int:
    until = time.monotonic() + PATIENCE
    while not locked(held):
        if time.monotonic() > until:
            os.close(held)
            raise UsageError(
                f"ckpt_path: another process trains in {shown(folder.path)}, perhaps a job of this "
                "run; wait until it ends, or train in a copy of the folder"
            )
        time.sleep(0.1)
    return held
