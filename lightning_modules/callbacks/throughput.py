"""Speed and peak memory of training."""

import sys
import time
from typing import Any

import lightning as L
import torch
from lightning.pytorch.utilities.types import STEP_OUTPUT

MIB = 2**20


class Throughput(L.Callback):
    """Measures training, without validations and the first step after a start or a validation.

    Such a step compiles, and starts the processes that generate data. Every ``log_every_n_steps``
    the speed since the last log is logged, as sequences per second of all devices. Checkpoints
    preserve the sums.
    """

    def __init__(self) -> None:
        self.seconds, self.steps, self.sequences = 0.0, 0, 0
        self.peak_memory = 0
        self._device = torch.device("cpu")
        self._since: float | None = None
        #: Sequences of the current step, which has several batches if gradients accumulate.
        self._of_step, self._step = 0, 0
        self._window = (0.0, 0)

    def record(self) -> dict[str, float | None]:
        """Return averages over the whole training; None after fewer than two steps."""
        measured = self.steps > 0
        return {
            "seconds_per_step": self.seconds / self.steps if measured else None,
            "sequences_per_second": self.sequences / self.seconds if measured else None,
            "peak_memory_mib": self.peak_memory / MIB if self.peak_memory else None,
        }

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Wait for the first step."""
        self._device, self._since, self._step = pl_module.device, None, trainer.global_step

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Wait for the next step: pictures and checkpoints come first."""
        self._since = None

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: STEP_OUTPUT,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Add a step's time, and log the speed when due."""
        self._of_step += len(batch[0]) * trainer.world_size
        if trainer.global_step == self._step:  # gradients are still being accumulated
            return
        now, before, sequences = time.monotonic(), self._since, self._of_step
        self._since, self._step, self._of_step = now, trainer.global_step, 0
        if before is None:
            return
        self.seconds, self.steps = self.seconds + now - before, self.steps + 1
        self.sequences += sequences
        self._window = (self._window[0] + now - before, self._window[1] + sequences)
        every: int = trainer.log_every_n_steps  # type: ignore[attr-defined]
        if every and trainer.global_step % every == 0:
            speed = self._window[1] / self._window[0]
            pl_module.log("train/sequences_per_second", speed, prog_bar=True, batch_size=1)
            self._window = (0.0, 0)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Record the peak memory."""
        self._note_memory()

    def state_dict(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        self._note_memory()
        names = "seconds", "steps", "sequences", "peak_memory"
        return {name: getattr(self, name) for name in names}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a checkpoint."""
        for name, value in state_dict.items():
            setattr(self, name, value)

    def _note_memory(self) -> None:
        """Record the peak so far, of a GPU's memory or else of this process's."""
        if self._device.type == "cuda":
            peak = torch.cuda.max_memory_allocated(self._device)
        elif sys.platform == "win32":
            return
        else:
            import resource  # not available on Windows

            # macOS reports bytes, Linux KiB.
            unit = 1 if sys.platform == "darwin" else 1024
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
        self.peak_memory = max(self.peak_memory, peak)
