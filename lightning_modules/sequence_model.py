"""Base class of all models: the optimiser, the noise of each sequence, summaries."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import lightning as L
import numpy as np
import torch
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from torch import Tensor, nn

from lightning_modules.declarations import Family
from lightning_modules.measures import Measures
from lightning_modules.metrics.step_means import StepMeans, Summary
from lightning_modules.noise import Moment, Purpose, hashed, sequence_noise
from lightning_modules.position import TrainingPosition
from lightning_modules.sizing import Budgets
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
    #: Settings of a base class on which this one decides, so that they are none of its own.
    decided: ClassVar[tuple[str, ...]] = ()
    #: Setting by which the width is given; without it, a budget of parameters decides.
    width_setting: ClassVar[str]
    #: The family's measures; its first curve is logged as ``<stage>/<name>_t/<step>``.
    measures: ClassVar[Measures]
    #: Numbers that a sequence hands from step to step; None if they grow with the data.
    state_size: int | None

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
        #: Seed of training's noise, from its first start on; None before.
        self._noise_seed: int | None = None
        self._restored_step = 0
        #: Learning rate that the optimiser was built with.
        self._rate_in_use = learning_rate
        #: The moment of training whose step is repeated; else None.
        self._repeated: Moment | None = None

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

    @property
    def budgets(self) -> Budgets:
        """The budgets that decided on the model's sizes."""
        given = self.hparams.get(self.width_setting) is not None
        parameters = None if given else self.hparams.get("parameter_budget")
        return Budgets(parameters, self.hparams.get("state_budget"))

    @abstractmethod
    def parts(self) -> dict[str, list[nn.Module]]:
        """The modules behind each part of the model's name, every parameter in one of them."""

    def setup(self, stage: str) -> None:
        """Prepare the process, and agree on the seed of the noise; a checkpoint may bring another.

        This comes before callbacks that train to tune a setting.
        """
        if self.trainer.strategy.root_device.type == "cpu":
            prepare()
        if stage == "fit" and self._noise_seed is None:
            # Without a seed of the command, every process has one of its own.
            self._noise_seed = self.trainer.strategy.broadcast(torch.initial_seed())

    def on_fit_start(self) -> None:
        """Build the optimiser again if a callback has tuned the learning rate.

        Lightning's finder sets the rate of the first step only, which a schedule then overrides.
        """
        if self.learning_rate != self._rate_in_use:
            self.trainer.strategy.setup_optimizers(self.trainer)

    def configure_callbacks(self) -> list[L.Callback]:
        """Return what makes resumed trainings exact, for every trainer."""
        return [TrainingPosition()]

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the seed of the noise."""
        checkpoint["noise_seed"] = self._noise_seed

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on with the checkpoint's noise."""
        self._noise_seed = checkpoint.get("noise_seed")
        self._restored_step = checkpoint["global_step"]
        if self._trainer is not None and self.trainer.state.fn == TrainerFn.FITTING:
            self._keep_rate(checkpoint)

    def _keep_rate(self, checkpoint: dict[str, Any]) -> None:
        """Let the learning rate that is asked for win over the checkpoint's.

        Raises:
            MisconfigurationException: a schedule of a user's decides on it.
        """
        before = checkpoint.get("hyper_parameters", {}).get("learning_rate", self.learning_rate)
        if before == self.learning_rate:
            return
        schedules = checkpoint.get("lr_schedulers", ())
        if not all("lr_lambdas" in schedule for schedule in schedules):
            raise MisconfigurationException(
                f"model.learning_rate is {self.learning_rate} here, {before} in the checkpoint, "
                "whose schedule continues with its own; leave it unchanged"
            )
        ratio = self.learning_rate / before
        for optimizer in checkpoint.get("optimizer_states", ()):
            for group in optimizer["param_groups"]:
                if group.get("initial_lr", group["lr"]) != before:
                    continue  # it has a rate of its own
                group["lr"] = self.learning_rate if group["lr"] == before else group["lr"] * ratio
                if "initial_lr" in group:
                    group["initial_lr"] = self.learning_rate
        for schedule in schedules:
            rates = schedule["base_lrs"]
            schedule["base_lrs"] = [self.learning_rate if r == before else r for r in rates]

    @property
    def trained_steps(self) -> int:
        """Optimiser steps behind the weights."""
        # Lightning restores the step only to train on.
        return self.global_step or self._restored_step

    def sequence_noise(self, episodes: Tensor, shape: tuple[int, ...], draw: int = 0) -> Tensor:
        """Return standard normal noise of the sequences themselves.

        In training it also depends on the run's seed and the step; evaluations always have the
        same.

        Args:
            episodes: ids of the sequences, [B], best on the CPU.
            shape: of one sequence's noise.
            draw: number of the draw, if there are several of the same sequences.

        Returns:
            noise: float32, B of this shape, on the model's device.
        """
        key = 0, Purpose.EVALUATION, draw, 0
        if self._repeated is not None:
            key = self._repeated.seed, Purpose.TRAINING, draw, self._repeated.step
        elif self._trainer is not None and self.trainer.training:
            assert self._noise_seed is not None, "setup sets it"
            key = self._noise_seed, Purpose.TRAINING, draw, self.global_step
        return sequence_noise(episodes, shape, *key, device=self.device)

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Seed torch's generator, so that users' cores that draw from it resume exactly, too."""
        seed_generator(self.moment(batch_idx))

    def moment(self, batch_idx: int) -> Moment:
        """Return what the random numbers of this training step depend on."""
        return Moment(self._noise_seed or 0, self.global_step, batch_idx, self.global_rank)

    @contextmanager
    def repeating(self, moment: Moment) -> Iterator[None]:
        """Draw the random numbers of a training step again; ``training_step`` then logs nothing."""
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices):
            seed_generator(moment)
            self._repeated = moment
            try:
                yield
            finally:
                self._repeated = None

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        """Gather the validation set's metrics."""
        self.validation_metrics.update(self.measures.measure(self, batch))

    def test_step(self, batch: Any, batch_idx: int) -> None:
        """Gather the test set's metrics."""
        self.test_metrics.update(self.measures.measure(self, batch))

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
        values["step"] = torch.tensor(float(self.trained_steps))
        # Summed over devices already: averaging equal numbers only keeps Lightning from warning.
        self.log_dict(values, sync_dist=True)
        return summary

    @abstractmethod
    def predict_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        """Return named predictions [B, ...] for a batch."""

    def log_training(self, values: dict[str, Tensor], prog_bar: bool = True) -> None:
        """Log measures of this training step, averaged over devices.

        Loggers draw them over ``step``, the number of steps made.
        """
        named = {f"train/{name}": value for name, value in values.items()}
        self.log_dict(named, prog_bar=prog_bar, sync_dist=True)
        # Lightning's own axis starts at 0: the 10th step would be 9.
        self.log("step", float(self.global_step + 1))

    @property
    def reports(self) -> bool:
        """True if this training step's metrics are logged: every n-th, the first and the last.

        Logging them in every step would cost milliseconds each time.
        """
        if self._repeated is not None:
            return False
        step = self.global_step
        if step == 0 or step + 1 == self.trainer.max_steps:
            return True
        every: int = self.trainer.log_every_n_steps  # type: ignore[attr-defined]
        return every > 0 and (step + 1) % every == 0

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return the parameters in groups, whose learning rates a schedule can tell apart."""
        return [{"params": list(self.parameters())}]

    def configure_optimizers(self) -> Any:
        """Return Adam, as in both papers; fused, which takes a third of the time on a CPU."""
        # Where gradients are scaled, a fused one would unscale them itself, after clipping.
        scaled = self._trainer is not None and self._trainer.precision == "16-mixed"
        groups = self.parameter_groups()
        optimizer = torch.optim.Adam(groups, lr=self.learning_rate, fused=not scaled)
        self._rate_in_use = self.learning_rate
        # Lightning takes the same of bf16-mixed, which scales nothing, and would refuse to clip.
        optimizer._step_supports_amp_scaling = False
        return optimizer


def seed_generator(moment: Moment) -> None:
    """Seed torch's generator for a training step."""
    key = moment.seed, moment.step, moment.batch
    torch.manual_seed(int(hashed(np.array([moment.rank]), *key)[0]) >> 1)
