"""The seed that a model was trained with, whatever the seed of a later command."""

from typing import Any

import lightning as L


class TrainingSeed(L.Callback):
    """Remembers the seed of the training's start; checkpoints carry it on.

    Args:
        of_command: this command's seed, ``False`` if it set none.
    """

    def __init__(self, of_command: int | bool) -> None:
        self.of_command = of_command
        #: None until a training starts, or where a checkpoint does not say.
        self.seed: int | bool | None = None

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Take the command's seed, unless training goes on from a checkpoint."""
        if trainer.ckpt_path is None:
            self.seed = self.of_command

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"seed": self.seed}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.seed = state_dict["seed"]
