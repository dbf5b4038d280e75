"""Sequences of pictures: scripts, filled with the images of a split."""

from collections.abc import Sequence

import torch

from datamodules.frames.batch import FrameSequences
from datamodules.frames.script import Curriculum, render
from datamodules.loading.episodes import EpisodeDataset
from datamodules.sources import LabelledImages, Split


class PictureDataset(EpisodeDataset[FrameSequences]):
    """Sequences written by a benchmark's rule and filled with the split's images."""

    def __init__(
        self, writers: Curriculum, images: LabelledImages, seed: int, split: Split, size: int
    ) -> None:
        """Store the rules and the split's images; `size` is the number of sequences in an epoch."""
        super().__init__(seed, split, size)
        self.writers = writers
        self.images = torch.tensor(images.images)
        self.labels = torch.tensor(images.labels)
        self.names = images.names

    def __getitems__(self, episodes: Sequence[int]) -> FrameSequences:
        """Write and render a batch of sequences."""
        scripts = [self.writers.at(episode)(self.rng(episode)) for episode in episodes]
        return render(scripts, self.images, self.labels, episodes)
