"""Origin of a trained model, whatever the command and code of a later test."""

import shlex
import sys
from typing import Any

import lightning as L

from lightning_modules.records.hardware import hardware
from lightning_modules.records.versions import revision


class TrainingOrigin(L.Callback):
    """Records how training started, and all code and machines; checkpoints preserve it.

    Args:
        of_command: this command's seed, ``False`` if it set none.
    """

    def __init__(self, of_command: int | bool) -> None:
        self.of_command = of_command
        #: None until a training starts, or where a checkpoint does not say.
        self.seed: int | bool | None = None
        self.command: str | None = None
        #: All commits and machines that trained, if it was resumed with others.
        self.revision: str | None = None
        self.hardware: str | None = None
        #: Number of processes that trained last.
        self.world_size: int | None = None

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Record this command, and add to what trained if it continues from a checkpoint."""
        self.world_size = trainer.world_size
        if trainer.ckpt_path is None:
            self.seed, self.command = self.of_command, shlex.join(sys.argv)
            self.revision = self.hardware = None
        self.revision = with_another(self.revision, revision())
        self.hardware = with_another(self.hardware, hardware(pl_module.device))

    def state_dict(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        names = "seed", "command", "revision", "hardware", "world_size"
        return {name: getattr(self, name) for name in names}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a checkpoint."""
        for name, value in state_dict.items():
            setattr(self, name, value)


def with_another(known: str | None, name: str | None) -> str | None:
    """Add a name to those joined by "and", unless it is among them."""
    if name is None or name in (known or "").split(" and "):
        return known
    return name if known is None else f"{known} and {name}"
