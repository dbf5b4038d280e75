"""Benchmarks of sequences of pictures."""

from abc import abstractmethod
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from datamodules.benchmark import BenchmarkDataModule
from datamodules.frames.classifier import Classifier
from datamodules.frames.dataset import PictureDataset
from datamodules.frames.script import ScriptWriter
from datamodules.sources import DIGITS, ImageKind, LabelledImages, Split
from datamodules.sources.image_benchmark import ImageBenchmark


class SequenceDataModule(ImageBenchmark[PictureDataset], BenchmarkDataModule[PictureDataset]):
    """Sequences of pictures.

    A benchmark says how long its sequences are and how a script is written, and, where it differs
    from what is said here, what the pictures are (`images_of`) and what the actions do.
    """

    images_of: ClassVar[ImageKind] = DIGITS
    action_names: ClassVar[tuple[str, ...]] = ()
    """Name of each of the A actions; none where nothing is known of a step beforehand."""

    @property
    def action_size(self) -> int:
        """Width A of the one-hot actions; 0 without actions."""
        return len(self.action_names)

    @property
    def grid(self) -> int | None:
        """Cells on a side of the maze that actions lead through; None where there is no maze.

        Where it is a number, `place` is row * grid + column, and actions are moves.
        """
        return None

    @property
    def frame_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of a frame."""
        return (1, 28, 28)

    @property
    def prefix_length(self) -> int:
        """First frames that a model is given before it generates the others; here, half of them."""
        return self.sequence_length // 2

    @property
    def classifier(self) -> Classifier | None:
        """Classifier of generated frames, where a class is all that is recalled; else None."""
        return None

    @abstractmethod
    def script_writer(self, split: Split, labels: NDArray[np.int64]) -> ScriptWriter:
        """Return the benchmark's rule for a split whose pictures have these classes, [N]."""

    def make_dataset(self, split: Split, images: LabelledImages) -> PictureDataset:
        """Build the sequences of a split from its pictures."""
        writer = self.script_writer(split, images.labels)
        size = self.hparams[f"{split}_size"]
        return PictureDataset(writer, images, self.hparams["seed"], split, size)
