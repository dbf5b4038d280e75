"""The run's settings as a file that can be run again."""

from pathlib import Path

import lightning as L

from lightning_modules.records.run_folder import write_text


class ConfigFile(L.Callback):
    """Writes the settings of a training, or of a run that has none yet, into the run's folder.

    Only what really starts is recorded: a training that cannot be resumed leaves the file alone.
    """

    def __init__(self, path: Path, settings: str) -> None:
        self.path = path
        self.settings = settings

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Write the file before the first step, from one process."""
        if trainer.is_global_zero:
            write_text(self.path, self.settings)

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Write the file if there is none; a training's was written before."""
        if not trainer.sanity_checking:
            self._write_once(trainer)

    def on_test_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Write the file if there is none."""
        self._write_once(trainer)

    def on_predict_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Write the file if there is none."""
        self._write_once(trainer)

    def _write_once(self, trainer: L.Trainer) -> None:
        if trainer.is_global_zero and not self.path.exists():
            write_text(self.path, self.settings)
