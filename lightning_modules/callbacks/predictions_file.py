"""The file of predictions that ``predict`` writes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import BasePredictionWriter
from numpy.typing import NDArray
from torch import Tensor

from lightning_modules.records.durable_file import replacing


class PredictionsFile(BasePredictionWriter):
    """Writes the outputs of a model's ``predict_step``, and the index of each sequence, [N].

    With several processes, each writes its own file.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(write_interval="epoch")
        self.path = path
        self.written: Path | None = None

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Use the first process's folder: each process would name it by its own start time."""
        self.path = trainer.strategy.broadcast(self.path)

    def write_on_epoch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        predictions: Sequence[Any],
        batch_indices: Sequence[Any],
    ) -> None:
        """Write all batches; the machine may not share the first process's disk."""
        rank = f"-rank{trainer.global_rank}" if trainer.world_size > 1 else ""
        self.written = self.path.with_stem(self.path.stem + rank)
        named = {
            name: as_array(torch.cat([batch[name] for batch in predictions]))
            for name in predictions[0]
        }
        index = np.array([i for loader in batch_indices for batch in loader for i in batch])
        self.written.parent.mkdir(parents=True, exist_ok=True)
        with replacing(self.written) as file:
            np.savez(file, **{"index": index, **named})  # type: ignore[arg-type]


def as_array(values: Tensor) -> NDArray[Any]:
    """Return an array on the CPU, in single precision if NumPy lacks the type."""
    supported = values.float() if values.dtype == torch.bfloat16 else values
    return supported.cpu().numpy()
