"""Progress of a run: a bar on a terminal, lines elsewhere."""

import sys
import time
from math import isfinite, nan
from typing import Any, NoReturn

import lightning as L
from lightning.pytorch.callbacks import ProgressBar
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities.types import STEP_OUTPUT
from tqdm import tqdm

from lightning_modules.declarations import Family
from lightning_modules.table import table


def progress() -> ProgressBar:
    """Return a bar on a terminal, else lines suitable for a log file."""
    return Bar() if sys.stdout.isatty() else ProgressLines()


class Quietable(ProgressBar):
    """Progress that is silent in all processes but the first."""

    def __init__(self) -> None:
        super().__init__()
        self._enabled = True

    def disable(self) -> None:
        """Show nothing; Lightning calls this in all processes but the first."""
        self._enabled = False

    def enable(self) -> None:
        """Show again."""
        self._enabled = True


class Bar(Quietable):
    """One bar over all steps of a training, or over the batches of an evaluation."""

    def __init__(self) -> None:
        super().__init__()
        self._bar: tqdm[NoReturn] = tqdm(disable=True)

    def print(self, *args: Any, **kwargs: Any) -> None:
        """Print a line above the bar on the model's behalf."""
        if self._enabled:
            tqdm.write(" ".join(map(str, args)), file=sys.stdout)

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Begin at the step of a resumed training."""
        self._open(trainer.estimated_stepping_batches, done=trainer.global_step)

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: STEP_OUTPUT,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Show the newest measure of training and of validation."""
        metrics = self.get_metrics(trainer, pl_module)
        first = next((name for name in metrics if name.startswith("train/")), None)
        newest = {} if first is None else {first.removeprefix("train/"): metrics[first]}
        self._bar.set_postfix_str(readable(newest | headline(trainer)), refresh=False)
        self._bar.update(trainer.global_step - self._bar.n)

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Show that a training waits for a validation."""
        if trainer.state.fn == TrainerFn.VALIDATING:
            self._open(sum(trainer.num_val_batches))
        else:
            self._bar.set_postfix_str("validating")

    def on_test_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Begin with the first batch."""
        self._open(sum(trainer.num_test_batches))

    def on_predict_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Begin with the first batch."""
        self._open(sum(trainer.num_predict_batches))

    def on_validation_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
        """Count a batch, except during training."""
        if trainer.state.fn == TrainerFn.VALIDATING:
            self._bar.update()

    def on_test_batch_end(self, *_: Any) -> None:
        """Count a batch."""
        self._bar.update()

    def on_predict_batch_end(self, *_: Any) -> None:
        """Count a batch."""
        self._bar.update()

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Leave the bar as it is; Lightning also calls this after a failure."""
        self._bar.close()

    def _open(self, total: float, done: int = 0) -> None:
        self._bar = tqdm(
            total=total,
            initial=done,
            disable=not self._enabled,
            dynamic_ncols=True,
            bar_format="{n_fmt}/{total_fmt} |{bar}| {elapsed}<{remaining}{postfix}",
            file=sys.stdout,
        )


class ProgressLines(Quietable):
    """Prints a line after the first step, then every few seconds.

    Args:
        seconds: time between two lines.
    """

    def __init__(self, seconds: float = 10.0) -> None:
        super().__init__()
        self.seconds = seconds
        self._next = 0.0
        #: Step of the last new measures; later lines repeat them.
        self._measured = 0

    def print(self, *args: Any, **kwargs: Any) -> None:
        """Print a line on the model's behalf."""
        if self._enabled:
            print(*args, **kwargs, flush=True)

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: STEP_OUTPUT,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Print a line when due, and name the step of its measures."""
        step, every = trainer.global_step, getattr(trainer, "log_every_n_steps", 0)
        last = step == trainer.max_steps
        if step == 1 or last or (every and step % every == 0):
            self._measured = step
        if not last and time.monotonic() < self._next:
            return
        metrics = readable(self.get_metrics(trainer, pl_module) | headline(trainer))
        if not metrics:  # a resumed training has none before its first report
            return
        self._next = time.monotonic() + self.seconds
        until = f" of {trainer.max_steps:,}" if trainer.max_steps > 0 else ""
        since = "" if self._measured == step else f" (measured at step {self._measured:,})"
        self.print(f"step {step:,}{until}{since}: {metrics}")


class ValidationReport(L.Callback):
    """Prints a line after every validation of a training, and a table after ``validate``."""

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Print the results of the validation."""
        results = {
            name.removeprefix("val/"): value.item()
            for name, value in trainer.callback_metrics.items()
            if name.startswith("val/") and "_t/" not in name
        }
        if trainer.sanity_checking or not trainer.is_global_zero or not results:
            return
        if trainer.state.fn == TrainerFn.VALIDATING:
            print(table("validation", results))
        elif isinstance(bar := trainer.progress_bar_callback, ProgressBar):
            columns = family_of(trainer).columns
            finite = {
                c.name: results[c.name] for c in columns if isfinite(results.get(c.name, nan))
            }
            bar.print(f"validation at step {trainer.global_step:,}: {readable(finite)}")


def family_of(trainer: L.Trainer) -> Family:
    """Return the family of the model that a trainer runs."""
    model: Any = trainer.lightning_module
    return model.measures.family


def headline(trainer: L.Trainer) -> dict[str, Any]:
    """Return the last validation's first headline with a finite value."""
    for name in (f"val/{each.name}" for each in family_of(trainer).headlines):
        value = trainer.callback_metrics.get(name)
        if value is not None and value.isfinite():
            return {name: value.item()}
    return {}


def readable(metrics: dict[str, Any]) -> str:
    """Write metrics in one line, without Lightning's version number."""
    return ", ".join(
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in metrics.items()
        if name != "v_num"
    )
