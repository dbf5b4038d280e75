"""Keeps two trainings from writing into the same run's folder."""

import os
import time

from lightning_modules.command_line.sweep.lock import locked
from lightning_modules.command_line.usage_error import UsageError
from lightning_modules.records.run_folder import RunFolder, shown

#: Seconds until the workers of a training that was killed have ended.
PATIENCE = 5.0


def hold(folder: RunFolder) -> int | None:
    """Lock a run's folder until what is returned is closed, or this process ends.

    Returns:
        its descriptor; None where the file system has no locks.

    Raises:
        UsageError: another process trains in it.
    """
    held = os.open(folder.path, os.O_RDONLY)
    until = time.monotonic() + PATIENCE
    try:
        while not locked(held):
            if time.monotonic() > until:
                os.close(held)
                raise UsageError(
                    f"ckpt_path: another process trains in {shown(folder.path)}; wait until it "
                    "ends, or train in a copy of the folder"
                )
            time.sleep(0.1)
    except OSError:
        os.close(held)
        return None
    return held
