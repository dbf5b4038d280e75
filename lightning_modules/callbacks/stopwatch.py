"""Seconds of training, across interruptions."""

import time
from typing import Any

import lightning as L


class Stopwatch(L.Callback):
    """Counts the wall-clock seconds of training; checkpoints preserve them.

    Every validation during training logs them as ``seconds``, beside its metrics. They include
    validations.
    """

    def __init__(self) -> None:
        self._before = 0.0
        self._started: float | None = None

    @property
    def seconds(self) -> float:
        """Seconds of training so far."""
        running = 0.0 if self._started is None else time.monotonic() - self._started
        return self._before + running

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Start the clock."""
        self._started = time.monotonic()

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Log the duration of training so far."""
        if self._started is not None and not trainer.sanity_checking:
            pl_module.log("seconds", self.seconds, sync_dist=True)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Stop the clock."""
        self._before, self._started = self.seconds, None

    def state_dict(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        return {"seconds": self.seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a checkpoint."""
        self._before = state_dict["seconds"]
