"""Base class of all models: the optimiser, evaluation with fixed noise, summaries."""

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import lightning as L
import torch
from torch import Tensor, nn

from lightning_modules.declarations import Family
from lightning_modules.measures import Measures
from lightning_modules.metrics.step_means import StepMeans, Summary
from lightning_modules.noise import noise_of
from lightning_modules.speed.preparation import prepare
from memory_cores import Look, MemoryCore
from memory_cores.parts.checks import require_positive

if TYPE_CHECKING:
    from lightning_modules.drawings import Drawings


class SequenceModel(L.LightningModule, ABC):
    """A model of sequences with a memory core.

    Families say how they are trained (``training_step``), what is measured (``measures``), what is
    drawn (``drawings``) and what they predict (``predict_step``).

    Args:
        steps: length T of the sequences that are evaluated.
        learning_rate: Adam's learning rate.

    Raises:
        ValueError: a setting is out of range.
    """

    #: Look of a baseline without a memory core of its own (one only does its sums); else None.
    baseline_look: ClassVar[Look | None] = None
    #: Core of a model that leaves no choice; else None.
    fixed_core: ClassVar[type[MemoryCore] | None] = None
    #: The family's measures; its first curve is logged as ``<stage>/<name>_t/<step>``.
    measures: ClassVar[Measures]

    def __init__(self, steps: int, learning_rate: float) -> None:
        super().__init__()
        require_positive(learning_rate=learning_rate)
        self.learning_rate = learning_rate
        names = self.measures.family.gathered
        self.validation_metrics = StepMeans(names, steps)
        self.test_metrics = StepMeans(names, steps)
        #: What the last validation and the last test showed, for pictures and reports.
        self.validation_summary: Summary | None = None
        self.test_summary: Summary | None = None

    @classmethod
    def family(cls) -> Family:
        """Return all that the family declares, its pictures included."""
        return replace(cls.measures.family, pictures=cls.drawings().pictures)

    @classmethod
    @abstractmethod
    def drawings(cls) -> "Drawings":
        """Return the family's pictures, imported only where something is drawn."""

    @property
    def look(self) -> Look:
        """Colour and marker in every plot."""
        return self.baseline_look or type(self.core).look

    @property
    def contestant(self) -> str:
        """Class that runs compare: the memory core, or a baseline without one of its own."""
        return type(self if self.baseline_look else self.core).__name__

    @property
    @abstractmethod
    def core(self) -> MemoryCore:
        """The memory core."""

    @property
    @abstractmethod
    def units(self) -> int:
        """Width of the recurrent state."""

    @abstractmethod
    def parts(self) -> dict[str, list[nn.Module]]:
        """The modules behind each part of the model's name, every parameter in one of them."""

    def setup(self, stage: str) -> None:
        """Prepare the process."""
        if self.trainer.strategy.root_device.type == "cpu":
            prepare()

    def on_fit_start(self) -> None:
        """Let every process draw latents of its own: Lightning seeds them all alike."""
        if self.trainer.world_size > 1:
            torch.manual_seed(torch.initial_seed() + self.global_rank)

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        """Gather the validation set's metrics."""
        with self._noise_of_its_own(batch_idx):
            self.validation_metrics.update(self.measures.measure(self, batch))

    def test_step(self, batch: Any, batch_idx: int) -> None:
        """Gather the test set's metrics."""
        with self._noise_of_its_own(batch_idx):
            self.test_metrics.update(self.measures.measure(self, batch))

    def _noise_of_its_own(self, batch_idx: int) -> AbstractContextManager[None]:
        """Draw the same noise in every evaluation."""
        # The n-th batch overall, whatever the number of devices: no two batches share their noise.
        seed = batch_idx * self.trainer.world_size + self.global_rank
        return noise_of(seed, self.device)

    def on_validation_epoch_end(self) -> None:
        """Log scalars and a per-step curve of the validation set."""
        self.validation_summary = self._log_summary("val", self.validation_metrics)

    def on_test_epoch_end(self) -> None:
        """Log scalars and a per-step curve of the test set."""
        self.test_summary = self._log_summary("test", self.test_metrics)

    def _log_summary(self, stage: str, metrics: StepMeans) -> Summary:
        summary = self.measures.summarise(self, metrics.sums())
        metrics.reset()
        values = {f"{stage}/{name}": value for name, value in summary.scalars.items()}
        curve = self.measures.family.curves[0].name
        values |= {
            f"{stage}/{curve}_t/{t:02d}": value for t, value in enumerate(summary.curves[curve], 1)
        }
        # Summed over devices already: averaging equal numbers only keeps Lightning from warning.
        self.log_dict(values, sync_dist=True)
        return summary

    @abstractmethod
    def predict_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        """Return named predictions [B, ...] for a batch."""

    @property
    def reports(self) -> bool:
        """True if this training step's metrics are logged: every n-th, the first and the last.

        Logging them in every step would cost milliseconds each time.
        """
        step = self.global_step
        if step == 0 or step + 1 == self.trainer.max_steps:
            return True
        every: int = self.trainer.log_every_n_steps  # type: ignore[attr-defined]
        return every > 0 and (step + 1) % every == 0

    def configure_optimizers(self) -> Any:
        """Return Adam, as in both papers; fused, which takes a third of the time on a CPU."""
        # Lightning cannot clip gradients in mixed precision with a fused optimiser.
        mixed = self._trainer is not None and "mixed" in str(self._trainer.precision)
        return torch.optim.Adam(self.parameters(), lr=self.learning_rate, fused=not mixed)
