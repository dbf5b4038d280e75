"""The validation at the end of a training."""

from typing import Any

import lightning as L
from lightning.pytorch.trainer import call
from lightning.pytorch.utilities.types import STEP_OUTPUT


class ClosingValidation(L.Callback):
    """Validates at the end of a training, so that no run ends unmeasured.

    Lightning is made to run the validation, so that it is logged like the others. If Lightning is
    past that point, because a callback has ended the training or a process was killed within the
    validation, the callback runs Lightning's loop itself.
    """

    def __init__(self) -> None:
        #: Step that the last validation measured.
        self._validated = -1

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: STEP_OUTPUT,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Request a validation after the last batch, like a callback that ends a training."""
        if is_last_batch(trainer):
            trainer.should_stop = True

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Record the validated step."""
        if not trainer.sanity_checking:
            self._validated = trainer.global_step

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Validate if Lightning has not."""
        trained = trainer.global_step > 0
        if trained and trainer.global_step != self._validated and trainer.enable_validation:
            validate(trainer)

    def state_dict(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        return {"validated": self._validated}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a checkpoint."""
        self._validated = state_dict["validated"]


def is_last_batch(trainer: L.Trainer) -> bool:
    """Return whether training ends after this batch."""
    fit: Any = trainer.fit_loop
    epochs = fit.max_epochs or -1
    if 0 <= trainer.max_steps <= trainer.global_step:
        return True
    ends = fit.epoch_progress.current.processed + 1 >= epochs >= 0
    return ends and fit.epoch_loop._num_ready_batches_reached()


def validate(trainer: L.Trainer) -> None:
    """Run a validation of the last step, as Lightning does within a training."""
    loop = trainer.fit_loop.epoch_loop
    first_iteration = trainer._logger_connector._first_loop_iter
    trainer.validating = True
    call._call_lightning_module_hook(trainer, "on_validation_model_zero_grad")
    loop.val_loop.restarting = False
    # Loggers count from 0, and the last step is already counted.
    loop._batches_that_stepped = trainer.global_step - 1
    loop.val_loop.run()
    loop._batches_that_stepped += 1
    trainer.training = True
    trainer._logger_connector._first_loop_iter = first_iteration
