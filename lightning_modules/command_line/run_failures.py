"""Explains failures of a run that the user can fix, in a few lines."""

import errno
import re
from traceback import walk_tb

import torch
from lightning.pytorch.utilities.exceptions import MisconfigurationException

from lightning_modules.callbacks.checkpoint_io import UnsavedState

MOST_CHARACTERS = 400
#: Errors of the system, not of this program.
OF_THE_SYSTEM = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.EMFILE}


def explain_run(failure: BaseException) -> str | None:
    """Explain what ended a run; None for a bug, which needs its traceback."""
    if isinstance(failure, UnsavedState):
        return str(failure)
    for explain in (_of_lightning, _of_callback, _of_the_system, _out_of_memory, _lost_worker):
        explanation = explain(failure)
        if explanation is not None:
            return explanation
    return None


def _of_lightning(failure: BaseException) -> str | None:
    """Explain incompatible settings, and callbacks that reject them."""
    if not isinstance(failure, MisconfigurationException):
        return None
    words = re.sub(r"[`\s]+", " ", str(failure)).strip()
    return f"trainer: {words[:MOST_CHARACTERS]}"


def _of_callback(failure: BaseException) -> str | None:
    """Explain an error of one of Lightning's callbacks, such as a missing metric."""
    if failure.__traceback__ is None or not isinstance(failure, RuntimeError | ValueError):
        return None
    *_, (frame, _) = walk_tb(failure.__traceback__)
    if not frame.f_globals.get("__name__", "").startswith("lightning.pytorch.callbacks"):
        return None
    name = type(frame.f_locals.get("self")).__name__
    words = re.sub(r"[`\s]+", " ", str(failure)).strip()
    return f"trainer.callbacks: {name}: {words[:MOST_CHARACTERS]}"


def _of_the_system(failure: BaseException) -> str | None:
    if not isinstance(failure, OSError) or failure.errno not in OF_THE_SYSTEM:
        return None
    file = f"{failure.filename}: " if failure.filename else ""
    return f"{file}{failure.strerror}"


def _out_of_memory(failure: BaseException) -> str | None:
    words = str(failure)
    full = isinstance(failure, torch.OutOfMemoryError | MemoryError)
    if not full and "DefaultCPUAllocator" not in words:
        return None
    requested = re.search(r"(?:allocate|allocating) ([\d.]+ \w+)", words)
    size = f" ({requested[1]} more were requested)" if requested else ""
    return f"out of memory{size}; reduce data.batch_size, data.eval_batch_size or the model"


def _lost_worker(failure: BaseException) -> str | None:
    form = r"DataLoader worker \(pid.*?\) ((?:is killed|exited)[^.]*)"
    found = re.search(form, str(failure))
    if found is None:
        return None
    return (
        f"a data worker {found[1]}: memory (or /dev/shm) was probably full; reduce data.num_workers"
    )
