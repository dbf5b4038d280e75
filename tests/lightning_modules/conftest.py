"""Tiny untrained models, benchmarks and made-up runs that tests of several folders share."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch

from datamodules import (
    DriftingFunctions,
    FunctionDataModule,
    MNISTMaze,
    MovingDigits,
)
from lightning_modules import ASNP, GTMM, CompactNetworks
from lightning_modules.neural_processes import NeuralProcess
from memory_cores import DNC, RMR
from tests.lightning_modules.records.made_up_runs import Runs

POINTS = {
    "sequence_length": 6,
    "context_steps": 4,
    "contexts": (2, 5),
    "most_points": 8,
    "batch_size": 2,
    "train_size": 4,
    "val_size": 2,
    "test_size": 2,
}


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    """Writes made-up runs."""
    return Runs(tmp_path / "runs")


@pytest.fixture
def maze(tmp_path: Path) -> MNISTMaze:
    """Mazes with few sequences, ready to deliver data."""
    data = MNISTMaze(
        data_dir=str(tmp_path),
        source="mnist5k",
        batch_size=4,
        train_size=8,
        val_size=6,
        test_size=2,
    )
    data.setup()
    return data


@pytest.fixture
def model() -> GTMM:
    """A GTMM whose prior follows its memory strongly enough to differ between steps."""
    torch.manual_seed(3)
    return GTMM(
        sequence_length=25,
        prefix_length=12,
        action_size=5,
        frame_shape=(1, 28, 28),
        memory=partial(DNC, word_size=4, read_heads=2),
        visual=partial(CompactNetworks, hidden_size=16),
        latent_size=4,
        controller_size=16,
        map_size=0,
    )


@pytest.fixture
def drifting(tmp_path: Path) -> DriftingFunctions:
    """Functions of six steps, of which four have a context, with 40 points each."""
    data = DriftingFunctions(data_dir=str(tmp_path), regime="transfer", **POINTS, test_points=40)
    data.setup()
    return data


@pytest.fixture
def digits(tmp_path: Path) -> MovingDigits:
    """Sequences of six canvases, of which four have a context."""
    data = MovingDigits(data_dir=str(tmp_path), source="mnist5k", regime="transfer", **POINTS)
    data.setup()
    return data


@pytest.fixture
def process() -> Callable[..., NeuralProcess]:
    """Builds an untrained ASNP for the points of a benchmark."""

    def build(data: FunctionDataModule, **memory: object) -> NeuralProcess:
        torch.manual_seed(3)
        return ASNP(
            sequence_length=6,
            test_length=6,
            x_size=data.x_size,
            x_range=data.x_range,
            y_size=data.y_size,
            hidden_size=8,
            memory=partial(RMR, slots=5, attention_heads=2, **memory),
            pool_memory=True,
        )

    return build
