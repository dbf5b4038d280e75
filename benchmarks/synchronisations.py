"""Counts the host's waits for a CUDA device within a step."""

import warnings

import torch

from timing import Step

#: PyTorch's warning when it waits.
WARNING = "called a synchronizing CUDA operation"


def count_synchronisations(step: Step) -> int:
    """Count the waits of one step."""
    torch.cuda.synchronize()
    with warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            step()
        finally:
            torch.cuda.set_sync_debug_mode("default")
    return sum(WARNING in str(warning.message) for warning in raised)
