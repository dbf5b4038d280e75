"""The checkpoints of a run: the two newest states, and the best one."""

import os
import time
from copy import deepcopy
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Checkpoint, ModelCheckpoint
from lightning.pytorch.utilities.types import STEP_OUTPUT

from lightning_modules.callbacks.closing_validation import batches_trained, validation_is_due
from lightning_modules.callbacks.stop_at_signal import agreed
from lightning_modules.callbacks.stop_signals import StopSignals
from lightning_modules.declarations import Measure
from lightning_modules.records.checkpoint_file import (
    checksum_holds,
    clear_unfinished,
    second_name,
    unfinished_file,
)
from lightning_modules.records.run_folder import RunFolder

#: A write may take this share of the time until the next one.
MOST_OF_TIME = 0.03


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
    """Keeps the newest state as ``last.ckpt``, and the one before it as ``previous.ckpt``.

    All states are those after a batch: none is taken within a step, whatever ends it. A validation
    changes nothing of them.

    Args:
        folder: of the run.
        signals: this process's; a signal that all processes know of is a reason to save.
        first: seconds of training before the first write.
        seconds: time between two writes, longer if these take long.
    """

    def __init__(
        self, folder: RunFolder, signals: StopSignals, first: float = 20.0, seconds: float = 60.0
    ) -> None:
        self.path, self.previous = folder.last_checkpoint, folder.previous_checkpoint
        self.signals = signals
        self.first, self.seconds = first, seconds
        self._next = 0.0
        #: Batches before the state that was saved or loaded last.
        self._saved: int | None = None
        #: Lightning's progress after the last batch that something else comes after.
        self._loops: dict[str, Any] | None = None
        #: The file on the disk is known to be what was written.
        self._trusted = False

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Start the clock."""
        if trainer.is_global_zero:
            clear_unfinished(self.path.parent)
        self._next = time.monotonic() + self.first

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
        """Save when it is time, or when training is to end."""
        ends = trainer.fit_loop.epoch_loop._is_training_done
        self._loops = loops(trainer) if ends or validation_is_due(trainer) else None
        # One process decides, since clocks differ.
        due = trainer.is_global_zero and time.monotonic() >= self._next
        if self.signals.agreed or agreed(trainer, due):
            self._save(trainer)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Save again, at the end at the latest: the state knows now what was found."""
        self._saved = None

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Save the state that training ended with."""
        if self._loops is not None and self._saved != batches_trained(trainer):
            self._save(trainer)

    def on_exception(
        self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException
    ) -> None:
        """Save if a signal ends a validation; nothing else ends where a state is whole."""
        saves = self.signals.agreed and self._loops is not None
        if saves and self._saved != batches_trained(trainer):
            self._save(trainer)

    def on_save_checkpoint(
        self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Let progress be that after the batch.

        From what it is within a validation, or after the end, Lightning would not go on exactly.
        """
        if self._loops is not None:
            checkpoint["loops"] = deepcopy(self._loops)

    def on_load_checkpoint(
        self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Note what was loaded; the newest state needs no second copy."""
        self._loops = deepcopy(checkpoint["loops"])
        if trainer.ckpt_path is not None and Path(trainer.ckpt_path) == self.path:
            progress = self._loops["fit_loop"]["epoch_loop.batch_progress"]
            self._saved = progress["total"]["ready"]

    def _save(self, trainer: L.Trainer) -> None:
        """Write the file, from one process, and keep the one before."""
        started = time.monotonic()
        kept = unfinished_file(self.previous)
        keeps = trainer.is_global_zero and self._keep(kept)
        before = self.path.stat().st_ino if keeps else None
        trainer.save_checkpoint(self.path, weights_only=False)
        took = time.monotonic() - started
        self._next = time.monotonic() + max(self.seconds, took / MOST_OF_TIME)
        self._saved, self._trusted = batches_trained(trainer), True
        if keeps and self.path.stat().st_ino != before:
            os.replace(kept, self.previous)
        elif keeps:
            kept.unlink()

    def _keep(self, kept: Path) -> bool:
        if not self.path.exists():
            return False
        # A damaged one is not worth the intact one before it.
        whole = self._trusted or checksum_holds(self.path) is not False
        return whole and second_name(self.path, kept)


def loops(trainer: L.Trainer) -> dict[str, Any]:
    """Copy the progress of Lightning's loops."""
    return deepcopy(trainer._checkpoint_connector._get_loops_state_dict())
