"""Benchmarks of images: valid sources, and which process selects one."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from datamodules import MNISTMaze, MovingFaces, OneShotRecall, PerfectRecall
from datamodules.sources import image_benchmark


def test_an_unknown_source_is_refused() -> None:
    with pytest.raises(ValueError, match="^source must be one of .*, got cifar$"):
        MNISTMaze(source="cifar")


@pytest.mark.parametrize(
    ("task", "source", "choices"),
    [
        (OneShotRecall, "mnist", "auto, omniglot, glyphs"),
        (PerfectRecall, "glyphs", "auto, mnist, mnist5k"),
        (MNISTMaze, "omniglot", "auto, mnist, mnist5k"),
        (MovingFaces, "mnist5k", "auto, celeba, faces"),
    ],
)
def test_a_source_of_another_kind_is_refused(task: type, source: str, choices: str) -> None:
    with pytest.raises(ValueError) as error:
        task(source=source)
    assert str(error.value) == f"source must be one of {choices}, got {source}"


def test_the_first_process_decides_on_the_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This process would select MNIST, which the first one lacks."""
    own = []
    monkeypatch.setattr(image_benchmark, "resolve_source", lambda *_: "mnist")
    data = PerfectRecall(data_dir=str(tmp_path), test_size=2)

    def broadcast(found: str) -> str:
        own.append(found)
        return "mnist5k"

    strategy = SimpleNamespace(broadcast=broadcast)
    process = {"strategy": strategy, "global_rank": 0, "world_size": 1}
    data.trainer = SimpleNamespace(**process)  # type: ignore[assignment]
    data.setup()
    assert own == ["mnist"]
    assert data.source_record()["source"] == "mnist5k"
