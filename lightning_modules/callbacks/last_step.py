"""The metrics of the last training step, which Lightning may not log."""

import lightning as L

from lightning_modules.callbacks.closing_validation import is_last_batch


class LastStep(L.Callback):
    """Logs the last step's metrics, so that even a short run leaves numbers."""

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Log the metrics, unless Lightning has."""
        # Lightning sets this attribute without declaring it.
        every = getattr(trainer, "log_every_n_steps", 0)
        if not every or trainer.global_step % every == 0 or is_last_batch(trainer):
            return
        metrics = {
            name: value.item()
            for name, value in trainer.callback_metrics.items()
            if name.startswith("train/")
        }
        for logger in trainer.loggers if metrics else ():
            logger.log_metrics(metrics, step=trainer.global_step)
            logger.save()
