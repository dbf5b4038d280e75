"""Random numbers that depend on a seed alone and leave those of training as they were."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def noise_of(seed: int, device: torch.device) -> Iterator[None]:
    """Draw the seed's noise inside, and restore the random state of CPU and device after it."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
