"""Sequences as a pure function of (seed, split, epoch, index)."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import numpy as np
from torch import Tensor
from torch.utils.data import Dataset

from datamodules.frames.batch import FrameSequences
from datamodules.points.batch import FunctionSequences
from datamodules.sources import Split

SPLIT_KEYS: dict[Split, int] = {"train": 0, "val": 1, "test": 2}
#: Sequences that a fingerprint generates at once, without effect on the result.
TOGETHER = 16
Batch = TypeVar("Batch", FrameSequences, FunctionSequences)


def episode_rng(seed: int, split: Split, epoch: int, index: int) -> np.random.Generator:
    """Return the random generator for everything in one sequence."""
    key = np.random.SeedSequence((seed, SPLIT_KEYS[split], epoch, index))
    return np.random.Generator(np.random.PCG64(key))


class EpisodeDataset(Dataset[Batch], ABC, Generic[Batch]):
    """Sequences of one split, addressed by the global episode id `epoch * size + index`.

    `__getitems__` generates a whole batch at once, see `loader.BatchLoader`. A sequence must depend
    only on its `rng`, so that batches, workers and devices do not affect it.
    """

    def __init__(self, seed: int, split: Split, size: int) -> None:
        """Store the seed and split, which select the sequences, and their number in an epoch."""
        self.seed, self.split, self.size = seed, split, size

    def __len__(self) -> int:
        """Return the number of sequences in an epoch."""
        return self.size

    def __getitem__(self, episode: int) -> Batch:
        """Generate one sequence, without the batch dimension."""
        batch = self.__getitems__([episode])
        return type(batch)(*(field[0] for field in batch))

    @abstractmethod
    def __getitems__(self, episodes: Sequence[int]) -> Batch:
        """Generate the batch of the sequences with these ids."""

    def origins(self, episodes: Sequence[int]) -> tuple[Tensor, ...]:
        """Return what a batch is generated from, bitwise equal on every machine; [B, ...] each.

        This is the batch itself without the ids, unless rounding differs between processors.
        """
        *origins, _ = self.__getitems__(episodes)
        return tuple(origins)

    def rng(self, episode: int) -> np.random.Generator:
        """Return the random generator of one sequence."""
        return episode_rng(self.seed, self.split, *divmod(episode, self.size))


def fingerprint(dataset: EpisodeDataset[Any]) -> str:
    """Return the hex SHA-256 of the origins of epoch 0, sequence by sequence."""
    digest = hashlib.sha256()
    for first in range(0, len(dataset), TOGETHER):
        origins = dataset.origins(range(first, min(first + TOGETHER, len(dataset))))
        for sequence in zip(*origins, strict=True):
            for part in sequence:
                digest.update(part.numpy().tobytes())
    return digest.hexdigest()
