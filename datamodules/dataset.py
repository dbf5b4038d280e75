"""Sequences as a pure function of (seed, split, epoch, index)."""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from datamodules.batch import FrameSequences
from datamodules.script import ScriptWriter, render
from datamodules.sources import LabelledImages, Split

SPLIT_KEYS: dict[Split, int] = {"train": 0, "val": 1, "test": 2}


def episode_rng(seed: int, split: Split, epoch: int, index: int) -> np.random.Generator:
    """The generator from which everything in one sequence is drawn."""
    key = np.random.SeedSequence((seed, SPLIT_KEYS[split], epoch, index))
    return np.random.Generator(np.random.PCG64(key))


class EpisodeDataset(Dataset[FrameSequences]):
    """Sequences of one split, addressed by the global episode id `epoch * size + index`.

    `__getitems__` generates a whole batch at once, so a loader's collate function is `as_is`.
    """

    def __init__(
        self, writer: ScriptWriter, images: LabelledImages, seed: int, split: Split, size: int
    ) -> None:
        """Take the rule, the split's images and the number of sequences in an epoch."""
        self.writer, self.seed, self.split, self.size = writer, seed, split, size
        self.images = torch.tensor(images.images)
        self.labels = torch.tensor(images.labels)
        self.names = images.names

    def __len__(self) -> int:
        """Sequences in one epoch."""
        return self.size

    def __getitem__(self, episode: int) -> FrameSequences:
        """One sequence, without the batch dimension."""
        return FrameSequences(*(field[0] for field in self.__getitems__([episode])))

    def __getitems__(self, episodes: Sequence[int]) -> FrameSequences:
        """A batch of sequences."""
        scripts = [self.writer(self._rng(episode)) for episode in episodes]
        return render(scripts, self.images, self.labels)

    def _rng(self, episode: int) -> np.random.Generator:
        return episode_rng(self.seed, self.split, *divmod(episode, self.size))


def as_is(batch: Any) -> Any:
    """Collate function for batches that are generated whole."""
    return batch


def fingerprint(dataset: EpisodeDataset) -> str:
    """Hex SHA-256 of every field of the sequences of epoch 0, one sequence after the other."""
    digest = hashlib.sha256()
    for episode in range(len(dataset)):
        for field in dataset[episode]:
            digest.update(field.numpy().tobytes())
    return digest.hexdigest()
