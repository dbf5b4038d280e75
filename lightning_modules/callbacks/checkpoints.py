"""Both checkpoints of a run: the newest state and the best one."""

import time
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Checkpoint, ModelCheckpoint
from lightning.pytorch.utilities.types import STEP_OUTPUT

from lightning_modules.declarations import Measure
from lightning_modules.records.run_folder import RunFolder


def best_checkpoint(folder: RunFolder, criterion: Measure) -> ModelCheckpoint:
    """Keep the state that validates best as ``best.ckpt``."""
    return ModelCheckpoint(
        dirpath=folder.checkpoints,
        filename=folder.best_checkpoint.stem,
        monitor=f"val/{criterion.name}",
        mode="min" if criterion.better == "lower" else "max",
        save_on_train_epoch_end=False,
        enable_version_counter=False,
    )


class LastCheckpoint(Checkpoint):
    """Keeps the newest state as ``last.ckpt``: every minute, at the end, and when interrupted.

    Args:
        path: the file.
        seconds: time between two writes.
    """

    def __init__(self, path: Path, seconds: float = 60.0) -> None:
        self.path = path
        self.seconds = seconds
        self._next = 0.0
        self._saved_step = -1
        self._in_training = False

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Start the clock; a state that was just loaded needs no second copy."""
        self._in_training = True
        self._next = time.monotonic() + self.seconds
        self._saved_step = trainer.global_step if self.path.exists() else -1

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Number the logged steps as the optimiser does.

        After resuming, Lightning counts as if every checkpoint had been written within a batch.
        """
        trainer.fit_loop.epoch_loop._batches_that_stepped = trainer.global_step

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: STEP_OUTPUT,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Save when it is time; one process decides, since clocks differ."""
        due = time.monotonic() >= self._next
        if trainer.world_size > 1:
            due = trainer.strategy.broadcast(due)
        if due:
            self._save(trainer)
            self._next = time.monotonic() + self.seconds

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Save the state that training ended with."""
        self._save(trainer)
        self._in_training = False

    def on_exception(
        self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException
    ) -> None:
        """Save what there is, on Ctrl-C too; before training, there is only what was loaded."""
        if self._in_training:
            self._save(trainer)

    def _save(self, trainer: L.Trainer) -> None:
        if self._saved_step == trainer.global_step:
            return
        # Not `trainer.save_checkpoint`: its barrier hangs when another process was interrupted
        # elsewhere, and only the first process writes.
        state = trainer._checkpoint_connector.dump_checkpoint(weights_only=False)
        trainer.strategy.save_checkpoint(state, self.path)
        self._saved_step = trainer.global_step
