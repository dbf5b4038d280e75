"""Predictions of ``predict``, as a file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import BasePredictionWriter

from lightning_modules.records.durable_file import replacing


class PredictionsFile(BasePredictionWriter):
    """Writes predictions [N, ...] in half precision, and the index of each sequence, [N].

    Models name their predictions: ``frames`` [N, T, C, H, W], or ``mean`` and ``sigma`` of targets.

    With several processes, each writes a file of its own.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(write_interval="epoch")
        self.path = path
        self.written: Path | None = None

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Agree on the first process's folder; each would name it by its own start time."""
        self.path = trainer.strategy.broadcast(self.path)

    def write_on_epoch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        predictions: Sequence[Any],
        batch_indices: Sequence[Any],
    ) -> None:
        """Write all batches, on a machine that may not share the first process's disk."""
        rank = f"-rank{trainer.global_rank}" if trainer.world_size > 1 else ""
        self.written = self.path.with_stem(self.path.stem + rank)
        named = {
            name: torch.cat([batch[name] for batch in predictions]).half().cpu().numpy()
            for name in predictions[0]
        }
        index = np.array([i for loader in batch_indices for batch in loader for i in batch])
        self.written.parent.mkdir(parents=True, exist_ok=True)
        with replacing(self.written) as file:
            np.savez(file, **{"index": index, **named})  # type: ignore[arg-type]
