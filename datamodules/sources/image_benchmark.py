"""Base class of benchmarks whose sequences consist of a source's images."""

from abc import ABC, abstractmethod
from hashlib import sha256
from typing import Any, ClassVar, Generic

import lightning as L

from datamodules.benchmark import Episodes
from datamodules.loading.checks import require_one_of
from datamodules.sources import (
    SPLITS,
    ImageKind,
    LabelledImages,
    Source,
    Split,
    fetch_images,
    load_images,
    require_readable,
    resolve_source,
)


class ImageBenchmark(L.LightningDataModule, ABC, Generic[Episodes]):
    """Sequences of images; a benchmark defines their kind, and how they become sequences.

    It precedes the base class for the benchmark's kind of sequences, and passes settings on to it:
    `class MovingPictures(ImageBenchmark, FunctionDataModule)`.
    """

    images_of: ClassVar[ImageKind]
    """Possible sources of the images."""
    _datasets: dict[Split, Episodes]

    def __init__(self, data_dir: str = "data", source: Source = "auto", **settings: Any) -> None:
        """Check the settings; no data is touched.

        Args:
            data_dir: folder of the real data sets; downloads go there.
            source: source of the images, valid for the benchmark's kind of images; `auto` is the
                real one if it is on disk or can be downloaded, else the embedded one.
            **settings: of the base class that follows.

        Raises:
            ValueError: a setting is out of range.
        """
        super().__init__(**settings)
        require_one_of(self.images_of.choices, source=source)
        self._source_record: dict[str, str] = {}

    @abstractmethod
    def make_dataset(self, split: Split, images: LabelledImages) -> Episodes:
        """Build a split's dataset from its images."""

    def prepare_data(self) -> None:
        """Download what is missing; Lightning calls this in one process per machine.

        Raises:
            ValueError: the source is not on disk and cannot be downloaded.
            UnreadableData: a file of it is damaged.
        """
        if not self._datasets:
            source, data_dir = self.hparams["source"], self.hparams["data_dir"]
            fetch_images(source, data_dir, self.images_of)
            require_readable(source, data_dir, self.images_of)

    def make_datasets(self) -> dict[Split, Episodes]:
        """Read the images of all splits from the source that all processes agree on.

        Raises:
            ValueError: the source is not on disk, or a file of it is damaged.
        """
        data_dir = self.hparams["data_dir"]
        source = resolve_source(self.hparams["source"], data_dir, self.images_of)
        if self.trainer is not None:
            # Processes on several machines may find different files, so the first one decides.
            source = self.trainer.strategy.broadcast(source)
        images = {split: load_images(source, data_dir, split, self.images_of) for split in SPLITS}
        digest = sha256("".join(images[split].sha256 for split in SPLITS).encode())
        self._source_record = {"source": source, "sha256": digest.hexdigest()}
        return {split: self.make_dataset(split, images[split]) for split in SPLITS}

    def source_record(self) -> dict[str, str]:
        """Return `source`, never `auto`, and `sha256` of its images and labels; needs `setup`."""
        return dict(self._source_record)
