"""Image folders and data modules that the tests of the benchmarks share."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from datamodules import MNISTMaze, SequenceDataModule
from datamodules.loading.loader import end_workers
from datamodules.sources import glyphs
from datamodules.sources.image_benchmark import ImageBenchmark
from tests.datamodules.recall_sequences import SEQUENCES

REAL_DATA = Path(__file__).parents[3] / "shared" / "data"
SOURCES = ["mnist5k"] + (["mnist"] if (REAL_DATA / "mnist").is_dir() else [])


@pytest.fixture(autouse=True)
def few_drawers(monkeypatch: pytest.MonkeyPatch) -> None:
    """All 20 drawers take some seconds."""
    monkeypatch.setattr(glyphs, "DRAWERS", 4)


@pytest.fixture(autouse=True)
def ended() -> Iterator[None]:
    """End a test's workers: whenever Python collected them, a later test would wait 10 s for each.

    By then their queues are closed, so that they hear neither a last message nor a signal.
    """
    yield
    end_workers()


@pytest.fixture
def real_data() -> Path:
    """Folder of real data beside the repository; it may be absent."""
    return REAL_DATA


@pytest.fixture(params=SOURCES)
def source(request: pytest.FixtureRequest) -> str:
    """Every source of digits that this machine can read."""
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


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., SequenceDataModule]:
    """Builds a benchmark of frames on its embedded pictures that is ready to deliver data."""

    def ready(task: type[SequenceDataModule], **settings) -> SequenceDataModule:
        small = {"train_size": SEQUENCES, "val_size": SEQUENCES, "test_size": SEQUENCES}
        here = {"data_dir": str(tmp_path), "num_workers": 0}
        if issubclass(task, ImageBenchmark):
            here["source"] = task.images_of.embedded_name
        built = task(**{**here, **small, **settings})
        built.prepare_data()
        built.setup()
        return built

    return ready
