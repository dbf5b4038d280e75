"""A tiny untrained model and maze that the tests of pictures share."""

from functools import partial
from pathlib import Path

import pytest
import torch

from datamodules import MNISTMaze
from lightning_modules import GTMM, CompactNetworks
from memory_cores import DNC


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
