"""Position of a training, from which it resumes exactly where it stopped."""

from typing import Any

import lightning as L

from datamodules.loading.position import trained_batches


class TrainingPosition(L.Callback):
    """Writes the position after the last optimiser step into checkpoints.

    Lightning counts batches in several stages, which differ depending on when a checkpoint is
    written. From these it infers the position in the epoch: wrongly after ``max_steps`` within an
    epoch, at its end, and in a batch. Here all counts are those between two batches, whenever the
    checkpoint is written.
    """

    def __init__(self) -> None:
        #: Step that the last validation measured.
        self._validated = -1

    def state_dict(self) -> dict[str, Any]:
        """Return the state that a checkpoint stores beside the counts."""
        return {"validated": self._validated}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a checkpoint."""
        self._validated = state_dict["validated"]

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Number steps for loggers as the optimiser does; Lightning counts on after resuming."""
        trainer.fit_loop.epoch_loop._batches_that_stepped = trainer.global_step
        # The metric of an earlier step, which checkpoints would otherwise be named by.
        trainer.callback_metrics.pop("step", None)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Record that this step has been validated."""
        if not trainer.sanity_checking:
            self._validated = trainer.global_step

    def on_save_checkpoint(
        self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Replace Lightning's counts and its epoch."""
        missing = self._validated != trainer.global_step and validation_is_due(trainer)
        epoch, batch = position(trainer, whole=missing)
        checkpoint["epoch"] = epoch
        begun = epoch + (batch > 0)
        epochs = {**counts(epoch), "ready": begun, "started": begun}
        checkpoint["loops"]["fit_loop"] |= {
            "epoch_progress": {"total": epochs, "current": dict(epochs)},
            "epoch_loop.batch_progress": {
                "total": counts(trained_batches(trainer)),
                "current": counts(batch),
                "is_last_batch": False,
            },
            "epoch_loop.state_dict": {"_batches_that_stepped": trainer.global_step},
            "epoch_loop.val_loop.batch_progress": {
                # Lightning repeats a validation that was started when it resumes.
                "total": {**counts(0), "ready": int(missing), "started": int(missing)},
                "current": counts(0),
                "is_last_batch": False,
            },
        }


def validation_is_due(trainer: L.Trainer) -> bool:
    """Return whether a validation is due between this step and the next."""
    loop, stops = trainer.fit_loop, trainer.should_stop
    if loop._data_fetcher is None:
        return False
    # Lightning also validates when it is to stop, which is not what is meant here.
    trainer.should_stop = False
    try:
        return loop.epoch_loop._should_check_val_fx(loop._data_fetcher)
    finally:
        trainer.should_stop = stops


def position(trainer: L.Trainer, whole: bool) -> tuple[int, int]:
    """Return the number of completed epochs, and of trained batches in the next one.

    Args:
        trainer: at any moment of a training.
        whole: whether an epoch without batches left may still lack its validation.
    """
    loop: Any = trainer.fit_loop
    batches, epochs = loop.epoch_loop.batch_progress, loop.epoch_progress.current
    waiting = batches.total.processed - trained_batches(trainer)
    batch, ended = batches.current.processed - waiting, epochs.processed
    between = epochs.started == ended
    if batch >= trainer.num_training_batches and not whole:
        return (ended, 0) if between else (ended + 1, 0)
    # ``max_steps`` may end in the middle of an epoch.
    return (ended - 1, batch) if between and batch else (ended, batch)


def counts(number: int) -> dict[str, int]:
    """Return Lightning's counts for ``number`` batches or epochs, all of them completed."""
    return dict.fromkeys(("ready", "started", "processed", "completed"), number)
