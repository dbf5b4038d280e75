"""Lightning's loop over epochs, which also completes a training cut off after its last step."""

import lightning as L
from lightning.pytorch.loops import _FitLoop


class FitLoop(_FitLoop):
    """Repeats the end of a training if all steps of its checkpoint are done.

    Lightning would skip it, and with it the closing validation.
    """

    @property
    def skip(self) -> bool:
        """Whether there is nothing to train on."""
        return self.max_batches == 0 or self.trainer.limit_train_batches == 0


def use_own_fit_loop(trainer: L.Trainer) -> None:
    """Replace a new trainer's loop by a ``FitLoop``."""
    before = trainer.fit_loop
    loop = FitLoop(trainer, min_epochs=before.min_epochs, max_epochs=before.max_epochs)
    loop.epoch_loop = before.epoch_loop
    trainer.fit_loop = loop
