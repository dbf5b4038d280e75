"""Tiny untrained models and benchmarks that the tests of pictures share."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch

from datamodules import (
    DriftingFunctions,
    FunctionDataModule,
    FunctionSequences,
    MNISTMaze,
    MovingDigits,
)
from lightning_modules import ASNP, GTMM, CompactNetworks
from lightning_modules.likelihoods import Targets
from lightning_modules.neural_processes import NeuralProcess
from lightning_modules.neural_processes.predictions import Prediction
from memory_cores import DNC, RMR

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


@pytest.fixture
def prediction() -> Prediction:
    """Of a sequence of functions on a grid of five places; its sixth step has no context."""
    torch.manual_seed(4)
    T, M = 6, 5
    x = torch.linspace(-4, 2.4, M).view(1, M, 1).expand(T, M, 1)
    y = torch.randn(T, M, 1)
    seen = torch.rand(T, M) < 0.4
    seen[0, 1], seen[5] = True, False
    order = (~seen).long().argsort(stable=True, dim=1)
    context_x, context_y = (v.gather(1, order.unsqueeze(-1)) for v in (x, y))
    context = context_x, context_y, seen.gather(1, order)
    everything = torch.ones(T, M, dtype=torch.bool)
    sequence = FunctionSequences(*context, x, y, everything, seen, torch.rand(T, 2))
    targets = Targets(torch.randn(T, M, 1), torch.rand(T, M, 1) + 0.1)
    return Prediction(sequence, targets, keys=None, whole=True, x_range=4.0)
