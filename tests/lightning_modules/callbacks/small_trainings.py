"""A model of one number that trains in no time, and its trainer with a run's checkpoints."""

from pathlib import Path
from typing import Any

import lightning as L
import torch
from torch.utils.data import DataLoader

from lightning_modules.callbacks.checkpoint_io import CheckpointFiles
from lightning_modules.callbacks.checkpoints import BestCheckpoint, LastCheckpoint
from lightning_modules.callbacks.closing_validation import ClosingValidation
from lightning_modules.callbacks.fit_loop import use_own_fit_loop
from lightning_modules.callbacks.stop_at_signal import Signals, StopAtSignal
from lightning_modules.callbacks.stop_signals import StopSignals
from lightning_modules.declarations import Measure
from lightning_modules.position import TrainingPosition
from lightning_modules.records.run_folder import RunFolder

LOSS = Measure("loss", "The square of the number.", "-", better="lower")


class Number(L.LightningModule):
    """Falls towards zero."""

    def __init__(self) -> None:
        super().__init__()
        self.number = torch.nn.Parameter(torch.ones(1))
        #: Steps after which validations ended.
        self.validated: list[int] = []

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        return (self.number * batch).square().sum()

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("val/loss", self.number.square().sum())

    def on_validation_epoch_end(self) -> None:
        self.validated.append(self.global_step)

    def configure_callbacks(self) -> list[L.Callback]:
        return [TrainingPosition()]

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.01)


def trainer_of(
    folder: RunFolder,
    *others: L.Callback,
    signals: StopSignals | None = None,
    seconds: tuple[float, float] = (1000.0, 1000.0),
    **settings: Any,
) -> L.Trainer:
    """Build a trainer as the command line does."""
    signals = signals or StopSignals()
    own = [
        StopAtSignal(signals),
        ClosingValidation(),
        BestCheckpoint(folder, LOSS),
        LastCheckpoint(folder, signals, *seconds),
    ]
    trainer = L.Trainer(
        **{"max_steps": 6, "val_check_interval": 4, "check_val_every_n_epoch": None, **settings},
        accelerator="cpu",
        callbacks=[*others, *own],
        plugins=[CheckpointFiles()],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        default_root_dir=folder.path,
    )
    trainer._signal_connector = Signals(trainer, signals)
    use_own_fit_loop(trainer)
    return trainer


def fit(trainer: L.Trainer, resume: Path | None = None, validated_on: int = 2) -> Number:
    """Train, five batches an epoch, and return the model."""
    model = Number()
    batches, validation = DataLoader(torch.ones(5, 1)), DataLoader(torch.ones(validated_on, 1))
    trainer.fit(model, batches, validation, ckpt_path=resume, weights_only=True)
    return model


def saved(path: Path) -> tuple[int, float]:
    """Return a checkpoint's step and number."""
    state = torch.load(path, weights_only=True)
    return state["global_step"], state["state_dict"]["number"].item()
