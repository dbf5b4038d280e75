"""Image folders and data modules that the tests of the benchmarks share."""

from collections.abc import Callable
from pathlib import Path

import pytest

from datamodules import MNISTMaze

REAL_DATA = Path(__file__).parents[3] / "shared" / "data"
SOURCES = ["mnist5k"] + (["mnist"] if (REAL_DATA / "mnist").is_dir() else [])


@pytest.fixture
def real_data() -> Path:
    """The folder of real data beside the repository; it may be absent."""
    return REAL_DATA


@pytest.fixture(params=SOURCES)
def source(request: pytest.FixtureRequest) -> str:
    """Every source that this machine can read."""
    return request.param


@pytest.fixture
def make_maze(tmp_path: Path) -> Callable[..., MNISTMaze]:
    """Builds a small maze benchmark that is ready to deliver data."""

    def make(**settings) -> MNISTMaze:
        small = {"train_size": 24, "val_size": 10, "test_size": 10, "num_workers": 0}
        here = {"data_dir": str(tmp_path), "source": "mnist5k"}
        maze = MNISTMaze(**{**here, **small, **settings})
        maze.prepare_data()
        maze.setup()
        return maze

    return make
