"""Validations that are owed: the one that ends a training, and one that was cut off."""

from typing import Any

import lightning as L
from lightning.pytorch.trainer import call
from lightning.pytorch.utilities.types import STEP_OUTPUT


class ClosingValidation(L.Callback):
    """Validates at the end of a training, so that no run ends unmeasured.

    A validation that was cut off with its process is repeated before training goes on, since
    Lightning takes it for done. Both run in Lightning's own loop and are logged like the others.
    """

    def __init__(self) -> None:
        #: Batches of training before the last complete validation.
        self._validated_after: int | None = None
        #: The checkpoint was written between a batch and its validation.
        self._owed = False

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Repeat what was cut off."""
        if self._owed:
            validate(trainer)
        self._owed = False

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: STEP_OUTPUT,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Ask for a validation after the last batch, as a callback does that ends a training."""
        if is_last_batch(trainer):
            trainer.should_stop = True

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Note that all batches were seen."""
        if not trainer.sanity_checking:
            self._validated_after = batches_trained(trainer)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Validate if a callback has ended the training where Lightning does not."""
        trained = batches_trained(trainer)
        if trained > 0 and trained != self._validated_after and trainer.enable_validation:
            validate(trainer)

    def on_save_checkpoint(
        self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Note in the checkpoint whether a validation comes next."""
        due = validation_is_due(trainer) and self._validated_after != batches_trained(trainer)
        checkpoint["validation"] = {"after": self._validated_after, "owed": due}

    def on_load_checkpoint(
        self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Go on from there; older checkpoints do not say."""
        saved = checkpoint.get("validation", {"after": None, "owed": False})
        self._validated_after, self._owed = saved["after"], saved["owed"]


def batches_trained(trainer: L.Trainer) -> int:
    """Count the batches of all epochs; with accumulated gradients a step has several."""
    return trainer.fit_loop.epoch_loop.total_batch_idx + 1


def is_last_batch(trainer: L.Trainer) -> bool:
    """Return whether training ends after this batch."""
    fit, epochs = trainer.fit_loop, trainer.fit_loop.max_epochs or -1
    if 0 <= trainer.max_steps <= trainer.global_step:
        return True
    ends = fit.epoch_progress.current.processed + 1 >= epochs >= 0
    return ends and fit.epoch_loop._num_ready_batches_reached()


def validation_is_due(trainer: L.Trainer) -> bool:
    """Return whether Lightning validates before it trains on the next batch."""
    loop, fetcher = trainer.fit_loop.epoch_loop, trainer.fit_loop._data_fetcher
    return fetcher is not None and loop._should_check_val_fx(fetcher)


def validate(trainer: L.Trainer) -> None:
    """Run a validation as Lightning does within a training, for the last step."""
    loop = trainer.fit_loop.epoch_loop
    first_iteration = trainer._logger_connector._first_loop_iter
    trainer.validating = True
    call._call_lightning_module_hook(trainer, "on_validation_model_zero_grad")
    loop.val_loop.restarting = False
    # Loggers count from 0, and a step that has ended is counted already.
    loop._batches_that_stepped = trainer.global_step - 1
    loop.val_loop.run()
    loop._batches_that_stepped += 1
    trainer.training = True
    trainer._logger_connector._first_loop_iter = first_iteration
