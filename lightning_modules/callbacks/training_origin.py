"""Origin of a trained model, whatever the command and code of a later test."""

import shlex
import sys
from typing import Any

import lightning as L

from lightning_modules.records.hardware import hardware
from lightning_modules.records.versions import revision


class TrainingOrigin(L.Callback):
    """Records how training started: seed, command and code; checkpoints preserve it.

    Args:
        of_command: this command's seed, ``False`` if it set none.
    """

    def __init__(self, of_command: int | bool) -> None:
        self.of_command = of_command
        #: None until a training starts, or where a checkpoint does not say.
        self.seed: int | bool | None = None
        self.command: str | None = None
        self.revision: str | None = None
        #: All machines, if a training was resumed on another.
        self.hardware: str | None = None
        #: Number of processes that trained last.
        self.world_size: int | None = None

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Record this command, unless training continues from a checkpoint."""
        used = hardware(pl_module.device)
        self.world_size = trainer.world_size
        if trainer.ckpt_path is None:
            self.hardware = used
            self.seed, self.command = self.of_command, shlex.join(sys.argv)
            self.revision = revision()
        elif used not in (self.hardware or "").split(" and "):
            self.hardware = " and ".join(filter(None, (self.hardware, used)))

    def state_dict(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        names = "seed", "command", "revision", "hardware", "world_size"
        return {name: getattr(self, name) for name in names}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a checkpoint."""
        for name, value in state_dict.items():
            setattr(self, name, value)
