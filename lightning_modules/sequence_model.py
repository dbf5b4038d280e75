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

    Families define training (``training_step``), measures (``measures``), pictures (``drawings``)
    and predictions (``predict_step``).

    Args:
        steps: length T of the sequences in validation and test.
        learning_rate: Adam's learning rate.

    Raises:
        ValueError: a setting is out of range.
    """

    #: Look of a baseline that is not named after its core; else None.
    baseline_look: ClassVar[Look | None] = None
    #: Core of a model whose core cannot be chosen; else None.
    fixed_core: ClassVar[type[MemoryCore] | None] = None
    #: Settings of a base class that this class fixes, so that they are not its own settings.
    decided: ClassVar[tuple[str, ...]] = ()
    #: Setting of the width; if it is not given, the parameter budget determines the width.
    width_setting: ClassVar[str]
    #: The family's measures; its first curve is logged as ``<stage>/<name>_t/<step>``.
    measures: ClassVar[Measures]
    #: Numbers that a sequence carries from step to step; None if they grow with the data.
    state_size: int | None

    def __init__(self, steps: int, learning_rate: float) -> None:
        super().__init__()
        require_positive(learning_rate=learning_rate)
        self.learning_rate = learning_rate
        names = self.measures.family.gathered
        self.validation_metrics = StepMeans(names, steps)
        self.test_metrics = StepMeans(names, steps)
        #: Results of the last validation and the last test, for pictures and reports.
        self.validation_summary: Summary | None = None
        self.test_summary: Summary | None = None
        #: Seed of the training noise, set when training first starts; None before.
        self._noise_seed: int | None = None
        self._restored_step = 0
        #: Learning rate with which the optimiser was built.
        self._rate_in_use = learning_rate
        #: Moment of the training step that is being repeated; else None.
        self._repeated: Moment | None = None

    @classmethod
    def family(cls) -> Family:
        """Return the family's declarations, including its pictures."""
        return replace(cls.measures.family, pictures=cls.drawings().pictures)

    @classmethod
    @abstractmethod
    def drawings(cls) -> "Drawings":
        """Return the family's pictures; the import is deferred until something is drawn."""

    @property
    def look(self) -> Look:
        """Colour and marker in every plot."""
        return self.baseline_look or type(self.core).look

    @property
    def contestant(self) -> str:
        """Class by which runs are compared: the memory core's, or the baseline's."""
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
        """The budgets that determined the model's sizes."""
        has_width = self.hparams.get(self.width_setting) is not None
        parameters = None if has_width else self.hparams.get("parameter_budget")
        return Budgets(parameters, self.hparams.get("state_budget"))

    @abstractmethod
    def parts(self) -> dict[str, list[nn.Module]]:
        """Return the modules of each named part; every parameter belongs to exactly one part."""

    def setup(self, stage: str) -> None:
        """Prepare the process and agree on the noise seed; a checkpoint may replace it later.

        Runs before callbacks that train to tune a setting.
        """
        if self.trainer.strategy.root_device.type == "cpu":
            prepare()
        if stage == "fit" and self._noise_seed is None:
            # Unless the command sets a seed, each process has its own.
            self._noise_seed = self.trainer.strategy.broadcast(torch.initial_seed())

    def on_fit_start(self) -> None:
        """Rebuild the optimiser if a callback has tuned the learning rate.

        Lightning's finder sets only the first step's rate, which a schedule then overrides.
        """
        if self.learning_rate != self._rate_in_use:
            self.trainer.strategy.setup_optimizers(self.trainer)

    def configure_callbacks(self) -> list[L.Callback]:
        """Return the callback that makes resumed trainings exact, with any trainer."""
        return [TrainingPosition()]

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Save the noise seed."""
        checkpoint["noise_seed"] = self._noise_seed

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore the checkpoint's noise seed and step."""
        self._noise_seed = checkpoint.get("noise_seed")
        self._restored_step = checkpoint["global_step"]
        if self._trainer is not None and self.trainer.state.fn == TrainerFn.FITTING:
            self._keep_rate(checkpoint)

    def _keep_rate(self, checkpoint: dict[str, Any]) -> None:
        """Replace the checkpoint's learning rate by the current setting.

        Raises:
            MisconfigurationException: a user's own schedule sets the rate.
        """
        before = checkpoint.get("hyper_parameters", {}).get("learning_rate", self.learning_rate)
        if before == self.learning_rate:
            return
        schedules = checkpoint.get("lr_schedulers", ())
        if not all("lr_lambdas" in schedule for schedule in schedules):
            raise MisconfigurationException(
                f"model.learning_rate is {self.learning_rate} here, {before} in the checkpoint, "
                "whose schedule cannot be rescaled; leave it unchanged"
            )
        ratio = self.learning_rate / before
        for optimizer in checkpoint.get("optimizer_states", ()):
            for group in optimizer["param_groups"]:
                if group.get("initial_lr", group["lr"]) != before:
                    continue  # a group with its own rate
                group["lr"] = self.learning_rate if group["lr"] == before else group["lr"] * ratio
                if "initial_lr" in group:
                    group["initial_lr"] = self.learning_rate
        for schedule in schedules:
            rates = schedule["base_lrs"]
            schedule["base_lrs"] = [self.learning_rate if r == before else r for r in rates]

    @property
    def trained_steps(self) -> int:
        """Number of optimiser steps that the weights were trained for."""
        # Lightning restores ``global_step`` only when it resumes training.
        return self.global_step or self._restored_step

    def sequence_noise(self, episodes: Tensor, shape: tuple[int, ...], draw: int = 0) -> Tensor:
        """Return standard normal noise that is a function of each sequence's id.

        In training it also depends on the run's seed and the step; in evaluations it is fixed.

        Args:
            episodes: ids of the sequences, [B], best on the CPU.
            shape: shape of one sequence's noise.
            draw: index of the draw, if the same sequences are drawn several times.

        Returns:
            noise: float32 [B, ...], on the model's device.
        """
        key = 0, Purpose.EVALUATION, draw, 0
        if self._repeated is not None:
            key = self._repeated.seed, Purpose.TRAINING, draw, self._repeated.step
        elif self._trainer is not None and self.trainer.training:
            assert self._noise_seed is not None, "setup sets it"
            key = self._noise_seed, Purpose.TRAINING, draw, self.global_step
        return sequence_noise(episodes, shape, *key, device=self.device)

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Seed torch's generator, so that custom cores that draw from it also resume exactly."""
        seed_generator(self.moment(batch_idx))

    def moment(self, batch_idx: int) -> Moment:
        """Return the moment, on which this training step's random numbers depend."""
        return Moment(self._noise_seed or 0, self.global_step, batch_idx, self.global_rank)

    @contextmanager
    def repeating(self, moment: Moment) -> Iterator[None]:
        """Reproduce a training step's random numbers; ``training_step`` then logs nothing."""
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices):
            seed_generator(moment)
            self._repeated = moment
            try:
                yield
            finally:
                self._repeated = None

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        """Accumulate the validation metrics of a batch."""
        self.validation_metrics.update(self.measures.measure(self, batch))

    def test_step(self, batch: Any, batch_idx: int) -> None:
        """Accumulate the test metrics of a batch."""
        self.test_metrics.update(self.measures.measure(self, batch))

    def on_validation_epoch_end(self) -> None:
        """Log the validation set's scalars and per-step curve."""
        self.validation_summary = self._log_summary("val", self.validation_metrics)

    def on_test_epoch_end(self) -> None:
        """Log the test set's scalars and per-step curve."""
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
        # Already summed over devices: sync_dist only averages equal numbers and avoids a warning.
        self.log_dict(values, sync_dist=True)
        return summary

    @abstractmethod
    def predict_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        """Return named predictions [B, ...] for a batch."""

    def log_training(self, values: dict[str, Tensor], prog_bar: bool = True) -> None:
        """Log measures of this training step, averaged over devices.

        Loggers plot them over ``step``, the number of completed steps.
        """
        named = {f"train/{name}": value for name, value in values.items()}
        self.log_dict(named, prog_bar=prog_bar, sync_dist=True)
        # Lightning counts from 0: the 10th step would be 9.
        self.log("step", float(self.global_step + 1))

    @property
    def reports(self) -> bool:
        """Whether this training step logs metrics: the first, the last and every n-th step do.

        Logging takes milliseconds per step.
        """
        if self._repeated is not None:
            return False
        step = self.global_step
        if step == 0 or step + 1 == self.trainer.max_steps:
            return True
        every: int = self.trainer.log_every_n_steps  # type: ignore[attr-defined]
        return every > 0 and (step + 1) % every == 0

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return the parameters in groups, to which a schedule can give different rates."""
        return [{"params": list(self.parameters())}]

    def configure_optimizers(self) -> Any:
        """Return Adam, as in both papers; fused, which takes a third of the time on a CPU."""
        # With scaled gradients, a fused optimiser would unscale them itself, after clipping.
        scaled = self._trainer is not None and self._trainer.precision == "16-mixed"
        groups = self.parameter_groups()
        optimizer = torch.optim.Adam(groups, lr=self.learning_rate, fused=not scaled)
        self._rate_in_use = self.learning_rate
        # Lightning assumes scaling for bf16-mixed, too, which has none, and would refuse to clip.
        optimizer._step_supports_amp_scaling = False
        return optimizer


def seed_generator(moment: Moment) -> None:
    """Seed torch's generator for a training step."""
    key = moment.seed, moment.step, moment.batch
    torch.manual_seed(int(hashed(np.array([moment.rank]), *key)[0]) >> 1)
