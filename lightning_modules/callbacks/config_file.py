"""The run's settings, as a file from which it can be repeated."""

from pathlib import Path
from typing import Any

import lightning as L
import yaml

from lightning_modules.records.run_folder import write_text

#: Settings of model and data that Lightning's callbacks tune before training.
TUNED = {"model": "learning_rate", "data": "batch_size"}


class ConfigFile(L.Callback):
    """Writes the settings of a training, or of a run without one, into the run's folder.

    Only what actually starts is recorded: a training that cannot be resumed leaves the file alone.
    """

    def __init__(self, path: Path, settings: str) -> None:
        self.path = path
        self.settings = settings

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Write the file before the first step, from one process."""
        if trainer.is_global_zero:
            write_text(self.path, in_use(self.settings, trainer, pl_module))

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


def in_use(settings: str, trainer: L.Trainer, model: L.LightningModule) -> str:
    """Return the settings as YAML, with the tuned values with which training starts."""
    content: Any = yaml.safe_load(settings)
    hparams = {"model": model.hparams, "data": getattr(trainer, "datamodule", model).hparams}
    tuned = {
        part: hparams[part][name]
        for part, name in TUNED.items()
        if hparams[part].get(name) not in (None, content[part]["init_args"].get(name))
    }
    if not tuned:
        return settings
    for part, value in tuned.items():
        content[part]["init_args"][TUNED[part]] = value
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
