"""The checkpoints of a run: the two newest states, and the best one."""

import os
import time
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Checkpoint, ModelCheckpoint
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from lightning.pytorch.utilities.types import STEP_OUTPUT
from torch import Tensor

from lightning_modules.callbacks.checkpoint_io import CheckpointFiles, UnsavedState
from lightning_modules.callbacks.stop_at_signal import agreed
from lightning_modules.callbacks.stop_signals import StopSignals
from lightning_modules.declarations import Measure
from lightning_modules.records.checkpoint_file import (
    checksum_holds,
    clear_unfinished,
    second_name,
)
from lightning_modules.records.durable_file import unfinished_file
from lightning_modules.records.run_folder import RunFolder, shown

#: Largest share of the time that writing may take.
MOST_OF_TIME = 0.03


class BestCheckpoint(ModelCheckpoint):
    """Keeps the state that validates best as ``best.ckpt``, even if the folder is moved.

    Args:
        folder: the run's folder.
        criterion: the measure by which states are compared.
    """

    def __init__(self, folder: RunFolder, criterion: Measure) -> None:
        super().__init__(
            dirpath=folder.checkpoints,
            filename=folder.best_checkpoint.stem,
            monitor=f"val/{criterion.name}",
            mode="min" if criterion.better == "lower" else "max",
            save_on_train_epoch_end=False,
            enable_version_counter=False,
        )

    def check_monitor_top_k(self, trainer: L.Trainer, current: Tensor | None = None) -> bool:
        """Reject values that are not finite: Lightning would accept one that comes first."""
        finite = current is None or bool(torch.as_tensor(current).isfinite())
        return finite and super().check_monitor_top_k(trainer, current)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the best state: Lightning would forget it if the folder has another name."""
        folder = Path(str(self.dirpath))

        def here(path: str) -> str:
            return str(folder / Path(path).name) if path else ""

        paths = {key: here(state_dict[key]) for key in state_dict if key.endswith("_path")}
        scores = {here(path): score for path, score in state_dict["best_k_models"].items()}
        moved = {"dirpath": self.dirpath, "best_k_models": scores}
        super().load_state_dict({**state_dict, **paths, **moved})


class LastCheckpoint(Checkpoint):
    """Keeps the newest state as ``last.ckpt``, and the one before it as ``previous.ckpt``.

    Nothing is saved within a step, whatever ends it. During a validation and after it, the state is
    that of the last step (``TrainingPosition``).

    Args:
        folder: the run's folder.
        signals: this process's signals; one that all processes have agreed on triggers a save.
        first: seconds of training before the first write.
        seconds: seconds between two writes, more if these take long.
    """

    def __init__(
        self, folder: RunFolder, signals: StopSignals, first: float = 20.0, seconds: float = 60.0
    ) -> None:
        self.path, self.previous = folder.last_checkpoint, folder.previous_checkpoint
        self.signals = signals
        self.first, self.seconds = first, seconds
        self._next = 0.0
        #: Step of the last saved or loaded state.
        self._saved: int | None = None
        #: The file on disk is known to be intact.
        self._trusted = False

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Check that all processes resume from the same state: each has searched for it.

        Raises:
            MisconfigurationException: they have found different checkpoints.
        """
        if trainer.world_size > 1:
            mine = str(trainer.ckpt_path)
            first = trainer.strategy.broadcast(mine)
            if mine != first:
                raise MisconfigurationException(
                    f"ckpt_path must be the same in all processes, got {first} and {mine}; choose "
                    "one with --run"
                )

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Start the clock."""
        if trainer.is_global_zero:
            clear_unfinished(self.path.parent)
        self._next = time.monotonic() + self.first

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: STEP_OUTPUT,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Save when due or when training is to end, but not while gradients accumulate."""
        if trainer.fit_loop._should_accumulate():
            return
        # One process decides, since clocks differ.
        due = trainer.is_global_zero and time.monotonic() >= self._next
        if self.signals.agreed or agreed(trainer, due):
            self._save(trainer)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Mark the state as unsaved: it now includes the validation's results."""
        self._saved = None

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Save the final state.

        Raises:
            UnsavedState: it could not be written.
        """
        unsaved = self._saved != trainer.global_step or failure_of(trainer) is not None
        if trainer.global_step > 0 and agreed(trainer, unsaved):
            self._save(trainer)
        failure = failure_of(trainer)
        if failure is not None:
            raise UnsavedState(
                f"the state after step {trainer.global_step:,} could not be written to "
                f"{shown(self.path)}: {failure.strerror}; earlier checkpoints are kept"
            ) from failure

    def on_exception(
        self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException
    ) -> None:
        """Save if a signal ends a validation; other exceptions may leave a state incomplete."""
        complete = not trainer.fit_loop._should_accumulate()
        if self.signals.agreed and complete and self._saved != trainer.global_step:
            self._save(trainer)

    def on_load_checkpoint(
        self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Record the loaded step; the newest state need not be saved again."""
        if trainer.ckpt_path is not None and Path(trainer.ckpt_path) == self.path:
            self._saved = checkpoint["global_step"]

    def _save(self, trainer: L.Trainer) -> None:
        """Write the file, from one process, and keep the previous one."""
        started = time.monotonic()
        kept = unfinished_file(self.previous)
        keeps = trainer.is_global_zero and self._keep(kept)
        before = file_number(self.path)
        trainer.save_checkpoint(self.path, weights_only=False)
        took = time.monotonic() - started
        self._next = time.monotonic() + max(self.seconds, took / MOST_OF_TIME)
        self._saved = trainer.global_step
        written = file_number(self.path) != before
        # A file that could not be replaced is as intact or damaged as before.
        self._trusted |= written
        if keeps and written:
            os.replace(kept, self.previous)
        elif keeps:
            kept.unlink()

    def _keep(self, kept: Path) -> bool:
        if not self.path.exists():
            return False
        # A damaged file must not replace the intact one before it.
        intact = self._trusted or checksum_holds(self.path) is not False
        return intact and second_name(self.path, kept)


def failure_of(trainer: L.Trainer) -> OSError | None:
    """Return the error of this process's last write, or None."""
    files = trainer.strategy.checkpoint_io
    return files.failed if isinstance(files, CheckpointFiles) else None


def file_number(path: Path) -> int | None:
    """Return the file's inode, which changes when it is replaced; None if there is no file."""
    return path.stat().st_ino if path.exists() else None
