"""Lightning's loop over epochs, which also ends what was cut off after its last step."""

import lightning as L
from lightning.pytorch.loops import _FitLoop


class FitLoop(_FitLoop):
    """Goes through the end of a training again if a checkpoint says that all steps are done.

    Lightning would skip it, and with it the validation that ends a training.
    """

    @property
    def skip(self) -> bool:
        """Whether there is nothing to train on."""
        return self.max_batches == 0 or self.trainer.limit_train_batches == 0


def use_own_fit_loop(trainer: L.Trainer) -> None:
    """Give a new trainer this loop."""
    before = trainer.fit_loop
    loop = FitLoop(trainer, min_epochs=before.min_epochs, max_epochs=before.max_epochs)
    loop.epoch_loop = before.epoch_loop
    trainer.fit_loop = loop
