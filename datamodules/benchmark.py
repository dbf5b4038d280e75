"""The contract of a benchmark: loaders, seeds, sizes, and resuming where a run stopped."""

from abc import ABC, abstractmethod
from inspect import currentframe
from typing import Any, ClassVar, Generic, TypeVar

import lightning as L
import torch
from lightning.pytorch.core.mixins import HyperparametersMixin
from lightning.pytorch.utilities.parsing import collect_init_args
from torch.utils.data import DataLoader

from datamodules.loading.checks import require_at_least
from datamodules.loading.episodes import EpisodeDataset, fingerprint
from datamodules.loading.loader import BatchLoader
from datamodules.loading.position import trained_batches
from datamodules.loading.sampler import EpisodeSampler, even_batch_size
from datamodules.sources import Split

Episodes = TypeVar("Episodes", bound=EpisodeDataset[Any])


class BenchmarkDataModule(L.LightningDataModule, ABC, Generic[Episodes]):
    """Sequences generated on the fly, the same for any number of workers and devices.

    A benchmark defines the length of its sequences and the datasets of its splits. Whatever
    models and callbacks need to know about it is a property here, or in the base class for its kind
    of sequences, with a default, so that no caller needs to know a benchmark's class.
    """

    has_kernels_to_infer: ClassVar[bool] = False
    """Whether it has an `infer_nll`, which computes the NLL with inferred kernels."""

    longer_by: ClassVar[str | None] = None
    """Setting, and property, that lengthens its test sequences; None if there is none."""

    def __init__(
        self,
        batch_size: int = 32,
        eval_batch_size: int = 50,
        num_workers: int = 1,
        train_size: int = 10_000,
        val_size: int = 500,
        test_size: int = 1_000,
        seed: int = 0,
    ) -> None:
        """Check the settings; no data is touched.

        Args:
            batch_size: training sequences per device and step.
            eval_batch_size: sequences per device and step in evaluation, at most.
            num_workers: processes that generate sequences; 0 generates in the main process.
            train_size: training sequences per epoch, rounded down to whole batches. Every epoch has
                new ones, except films of rooms, which are the same in all epochs.
            val_size: sequences of the fixed validation set.
            test_size: sequences of the fixed test set.
            seed: seed of all sequences; independent of the model's seed.

        Raises:
            ValueError: a setting is out of range.
        """
        super().__init__()
        self.save_hyperparameters(logger=False)
        # On the command line, Lightning saves only the settings given there. Base classes also read
        # what a subclass fixes itself, which only the calls of their constructors contain.
        frame = currentframe()
        assert frame is not None, "CPython has frames"
        for arguments in collect_init_args(frame, [], classes=(HyperparametersMixin,)):
            for name, value in arguments.items():
                self.hparams.setdefault(name, value)
        require_at_least(1, batch_size=batch_size, eval_batch_size=eval_batch_size)
        require_at_least(1, train_size=train_size, val_size=val_size, test_size=test_size)
        require_at_least(0, num_workers=num_workers, seed=seed)
        self._datasets: dict[Split, Episodes] = {}
        self._sha256: dict[Split, str] = {}
        #: First episode of this training process, and the number of batches trained before it.
        self._began_at, self._began_after = 0, 0

    @property
    @abstractmethod
    def sequence_length(self) -> int:
        """Steps T of every sequence."""

    @abstractmethod
    def make_datasets(self) -> dict[Split, Episodes]:
        """Build the datasets of all splits; called once in every process."""

    @abstractmethod
    def source_record(self) -> dict[str, str]:
        """Describe the origin of the sequences; `source` is its name. Needs `setup`."""

    def prepare_test_data(self) -> None:
        """Prepare what evaluations need: all data, unless training data are costly to generate."""
        self.prepare_data()

    def prepare_data_record(self) -> None:
        """Prepare what `data_record` needs: all data, unless they are costly to generate."""
        self.prepare_data()

    def setup(self, stage: str | None = None) -> None:
        """Build every split's dataset, once."""
        if not self._datasets:
            self._datasets = self.make_datasets()

    def data_record(self) -> dict[str, str]:
        """Describe the data in use, for hyperparameters and reports; needs `setup`.

        Returns:
            The source's record, and `test_sha256`: hash of the origins of the fixed test sequences
            (see `EpisodeDataset`), the same on every machine.
        """
        return {**self.source_record(), "test_sha256": self.sha256("test")}

    def sha256(self, split: Split) -> str:
        """Return the hash of the origins of a fixed split's sequences; needs `setup`."""
        if split not in self._sha256:
            self._sha256[split] = fingerprint(self.dataset(split))
        return self._sha256[split]

    def dataset(self, split: Split) -> Episodes:
        """Return the sequences of a split; needs `setup`."""
        if not self._datasets:
            raise RuntimeError("call prepare_data() and setup() before requesting data")
        return self._datasets[split]

    def train_dataloader(self) -> BatchLoader:
        """Return a loader of new sequences in every epoch, equally many on every device."""
        batch_size = self.hparams["batch_size"]
        dataset = self.dataset("train")
        sampler = EpisodeSampler(dataset, *self._process(), batch_size, self.next_episode)
        return BatchLoader(**self._loader_settings(sampler, batch_size))

    def transfer_batch_to_device(
        self, batch: Any, device: torch.device, dataloader_idx: int
    ) -> Any:
        """Move a batch, except its sequences' ids: their noise is drawn on the CPU."""
        moved = super().transfer_batch_to_device(batch, device, dataloader_idx)
        return moved._replace(episode=batch.episode)

    def state_dict(self) -> dict[str, int]:
        """Return the first episode not yet trained on, and the number of batches before it.

        Lightning stores them in checkpoints.
        """
        batches = 0 if self.trainer is None else trained_batches(self.trainer)
        return {"next_episode": self.next_episode(), "batches": batches}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Let training continue with the checkpoint's next episode."""
        # Lightning also restores it for tests; older checkpoints lack the number of batches.
        self._began_at = state_dict["next_episode"]
        self._began_after = state_dict.get("batches", 0)

    def next_episode(self) -> int:
        """Return the first episode that no process has trained on."""
        # Overfitting repeats the same batches on purpose.
        if self.trainer is None or getattr(self.trainer, "overfit_batches", False):
            return self._began_at
        # Lightning may request batches before it has restored their count.
        batches = max(0, trained_batches(self.trainer) - self._began_after)
        return self._began_at + batches * self.hparams["batch_size"] * self.trainer.world_size

    def val_dataloader(self) -> DataLoader[Any]:
        """Return a loader of the validation set, each sequence on exactly one device."""
        return self._evaluation_loader("val")

    def test_dataloader(self) -> DataLoader[Any]:
        """Return a loader of the test set, each sequence on exactly one device."""
        return self._evaluation_loader("test")

    def predict_dataloader(self) -> DataLoader[Any]:
        """Return a loader of the test set."""
        return self._evaluation_loader("test")

    def _evaluation_loader(self, split: Split) -> DataLoader[Any]:
        _, world_size = self._process()
        at_most = self.hparams["eval_batch_size"]
        batch_size = even_batch_size(len(self.dataset(split)), world_size, at_most)
        sampler = EpisodeSampler(self.dataset(split), *self._process())
        return BatchLoader(**self._loader_settings(sampler, batch_size))

    def _loader_settings(self, sampler: EpisodeSampler, batch_size: int) -> dict[str, Any]:
        return {
            "dataset": sampler.dataset,
            "sampler": sampler,
            "batch_size": batch_size,
            "num_workers": self.hparams["num_workers"],
            "pin_memory": torch.cuda.is_available(),
        }

    def _process(self) -> tuple[int, int]:
        """Return this process's rank and the number of processes."""
        if self.trainer is None:
            return 0, 1
        return self.trainer.global_rank, self.trainer.world_size
