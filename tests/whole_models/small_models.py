"""Small models of every family, their data, and a training of one as a program."""

import json
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import lightning as L
import torch

from datamodules import BenchmarkDataModule, DriftingFunctions, PerfectRecall, RenderedFaces
from lightning_modules import ASNP, ATGQN, GTMM, SNP, VRNN
from lightning_modules.sequence_model import SequenceModel
from memory_cores import DNC, RMR

#: Three batches of 4 an epoch, and 2 sequences more.
SIZES = {"batch_size": 4, "train_size": 14, "val_size": 3, "test_size": 2, "num_workers": 0}
FRAMES: dict[str, Any] = {
    "sequence_length": 5,
    "prefix_length": 3,
    "action_size": 0,
    "frame_shape": (1, 28, 28),
    "latent_size": 2,
    "controller_size": 4,
    "map_size": 4,
}
FUNCTIONS: dict[str, Any] = {
    "sequence_length": 6,
    "test_length": 6,
    "x_size": 1,
    "x_range": 4.0,
    "y_size": 1,
    "hidden_size": 8,
}
PATCHES: dict[str, Any] = {
    **FUNCTIONS,
    "x_size": 2,
    "x_range": 1.0,
    "y_size": 192,
    "patch_shape": (3, 8, 8),
    "state_maps": 4,
    "latent_maps": 2,
    "draws": 2,
    "renderer_maps": 4,
}
MODELS: dict[str, Callable[[], SequenceModel]] = {
    "GTMM": partial(GTMM, memory=partial(DNC, slots=4), **FRAMES),
    "GTMM, stochastic": partial(
        GTMM, memory=partial(RMR, slots=4, stochastic_keys=True, attention_heads=1), **FRAMES
    ),
    "VRNN": partial(VRNN, **FRAMES),
    "SNP": partial(SNP, **FUNCTIONS),
    "ASNP-RMR": partial(
        ASNP, memory=partial(RMR, slots=4, stochastic_keys=True), pool_memory=True, **FUNCTIONS
    ),
    "ATGQN-RMR": partial(ATGQN, memory=partial(RMR, slots=4), pool_memory=True, **PATCHES),
}


FUNCTIONAL = {"SNP", "ASNP-RMR"}


def benchmark_for(name: str, **settings: Any) -> BenchmarkDataModule:
    """Build the data of a model."""
    if name == "ATGQN-RMR":
        points = {"context_steps": 4, "contexts": (2, 4), "most_points": 6}
        return RenderedFaces(source="faces", sequence_length=6, **SIZES | points | settings)
    if name not in FUNCTIONAL:
        return PerfectRecall(3, 2, source="mnist5k", **SIZES | settings)
    sizes = {"sequence_length": 6, "context_steps": 4, "train_points": 20, "test_points": 20}
    return DriftingFunctions(**SIZES | sizes | settings)


class Losses(L.Callback):
    """Keeps the loss of every step, averaged over processes."""

    def __init__(self) -> None:
        self.kept: list[float] = []

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        self.kept.append(float(trainer.strategy.reduce(outputs["loss"].detach(), reduce_op="mean")))


def losses(name: str, batch_size: int, devices: int) -> list[float]:
    """Train for 50 steps, in double precision: training amplifies rounding a thousandfold."""
    # Processes that Lightning starts take the seed from the environment, as commands set it.
    L.seed_everything(1)
    losses = Losses()
    trainer = L.Trainer(
        accelerator="cpu",
        devices=devices,
        strategy="ddp" if devices > 1 else "auto",
        precision="64-true",
        max_steps=50,
        callbacks=[losses],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=0,
        num_sanity_val_steps=0,
    )
    trainer.fit(
        MODELS[name](), datamodule=benchmark_for(name, batch_size=batch_size, train_size=16)
    )
    return losses.kept


def main(batch_size: str, devices: str, file: str, *names: str) -> None:
    """Train some models, and write their losses from one process."""
    found = {name: losses(name, int(batch_size), int(devices)) for name in names}
    if os.environ.get("LOCAL_RANK", "0") == "0":
        Path(file).write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(*sys.argv[1:])
