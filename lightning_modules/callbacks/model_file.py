"""``model.json``: the declaration of a run's model."""

from pathlib import Path
from typing import Any

import lightning as L

from lightning_modules.callbacks.announcement import count_parameters
from lightning_modules.records.model_file import DeclaredModel
from lightning_modules.records.reading import FORMAT
from lightning_modules.records.run_folder import write_json


class ModelFile(L.Callback):
    """Writes the model's declaration into the run's folder, before anything is measured.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Write the file, from one process."""
        self._write(trainer, pl_module)

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Write the file of a run that is only validated."""
        if not self.path.exists():
            self._write(trainer, pl_module)

    def _write(self, trainer: L.Trainer, model: L.LightningModule) -> None:
        if trainer.is_global_zero:
            content = {"format": FORMAT, **declared(model).to_json(), **sizes(model)}
            write_json(self.path, content)


def sizes(model: Any) -> dict[str, int | None]:
    """Return the sizes of a ``SequenceModel`` that every run records."""
    return {"parameters": count_parameters(model), "state_size": model.state_size}


def declared(model: Any) -> DeclaredModel:
    """Return the declaration of a ``SequenceModel``."""
    return DeclaredModel(
        model=type(model).__name__,
        core=type(model.core).__name__,
        contestant=model.contestant,
        colour=model.look.colour,
        marker=model.look.marker,
        family=model.family(),
    )
