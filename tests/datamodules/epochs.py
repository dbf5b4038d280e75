"""All sequences of a loader's epoch."""

from typing import Any

import torch
from torch.utils.data import DataLoader


def sequences(loader: DataLoader, epoch: int = 0) -> Any:
    """As many sequences as the set's size, in one batch; of training, those from there on."""
    sampler: Any = loader.sampler
    batches, start = [], epoch * sampler.size
    while start < (epoch + 1) * sampler.size:
        if sampler.batch_size is not None:
            sampler.start = lambda first=start: first
        given = list(loader)
        batches += given
        start += sum(len(batch[0]) for batch in given)
    joined = (torch.cat(parts)[: sampler.size] for parts in zip(*batches, strict=True))
    return type(batches[0])(*joined)
