"""The run's settings as a file that can be run again."""

from pathlib import Path

import lightning as L


class ConfigFile(L.Callback):
    """Writes the settings of a training, or of a run that has none yet, into the run's folder."""

    def __init__(self, path: Path, settings: str) -> None:
        self.path = path
        self.settings = settings

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Write the file, from one process."""
        if trainer.is_global_zero and (stage == "fit" or not self.path.exists()):
            self.path.write_text(self.settings)
