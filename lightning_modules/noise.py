"""Random numbers that depend on a seed alone, beside those that training goes on with."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def noise_of(seed: int, device: torch.device) -> Iterator[None]:
    """Draw the seed's noise, and leave that of everybody else alone."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
