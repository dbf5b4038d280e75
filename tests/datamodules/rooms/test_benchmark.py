"""Benchmarks in 3D: which films a run renders before it begins."""

from importlib.metadata import PackageNotFoundError
from pathlib import Path

import lightning as L
import pytest
from lightning.pytorch.trainer.states import TrainerFn

from datamodules import LoopClosure, Rotation
from datamodules.rooms import benchmark, filming
from datamodules.rooms.benchmark import RoomDataModule
from datamodules.rooms.filming import engine
from tests.cli.commands import ROOT
from tests.datamodules.rooms.painter import Painter


def shards(data: Rotation) -> set[str]:
    """Names of the files in its cache."""
    return {file.name.split("-")[0] for file in Path(data.hparams["data_dir"]).rglob("*.npy")}


@pytest.mark.parametrize(
    "function", [TrainerFn.VALIDATING, TrainerFn.TESTING, TrainerFn.PREDICTING]
)
def test_who_only_evaluates_waits_for_no_training_films(
    function: TrainerFn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Painter, "rendered", [])
    sizes = {"train_size": 32, "val_size": 2, "test_size": 3}
    data = Rotation(data_dir=str(tmp_path), sequence_length=4, **sizes)
    data.trainer = L.Trainer(logger=False, enable_checkpointing=False, accelerator="cpu")
    data.trainer.state.fn = function
    data.prepare_data()
    data.setup()
    assert shards(data) == {"test", "val"}
    assert len(data.dataset("test").__getitems__([0, 2]).frames) == 2
    data.trainer.state.fn = TrainerFn.FITTING
    data.prepare_data()
    assert shards(data) == {"test", "train", "val"}
    assert len(data.dataset("train").__getitems__([0, 31]).frames) == 2
    assert len(Painter.rendered) == 3


def test_who_has_no_trainer_may_ask_for_test_films_alone(tmp_path: Path) -> None:
    data = Rotation(data_dir=str(tmp_path), sequence_length=4, train_size=5, test_size=3)
    data.prepare_test_data()
    assert shards(data) == {"test", "val"}
    data.prepare_data()
    assert shards(data) == {"test", "train", "val"}


@pytest.mark.parametrize("task", [Rotation, LoopClosure])
def test_what_was_used_is_known_before_anything_is_rendered(
    task: type[RoomDataModule], tmp_path: Path
) -> None:
    def record(**settings: int) -> dict[str, str]:
        data = task(data_dir=str(tmp_path), **{"test_size": 5} | settings)
        data.prepare_data_record()
        data.setup()
        return data.data_record()

    kept = record()
    assert kept["source"] == engine() and len(kept["test_sha256"]) == 64
    assert record(train_size=7, val_size=3) == kept
    others = [record(seed=1), record(test_size=6), record(sequence_length=20)]
    assert len({kept["test_sha256"], *(other["test_sha256"] for other in others)}) == 4
    assert not [*tmp_path.iterdir()]


def test_films_of_two_engines_do_not_meet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def rendered_with(engine: str) -> int:
        monkeypatch.setattr(benchmark, "engine", lambda: engine)
        monkeypatch.setattr(Painter, "rendered", [])
        data = Rotation(data_dir=str(tmp_path), sequence_length=4, val_size=2, test_size=2)
        data.prepare_test_data()
        data.setup()
        assert data.data_record()["source"] == engine
        return len(Painter.rendered)

    assert rendered_with("vizdoom 1.3.0") == 2
    assert rendered_with("vizdoom 1.4.0") == 2
    assert rendered_with("vizdoom 1.3.0") == 0, "a training may still read them"


def test_a_machine_without_the_engine_speaks_of_the_tested_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(filming, "version", missing)
    locked = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert f"\n{engine().replace(' ', '==')} " in locked


def test_a_shard_is_mended_whole_for_those_who_read_more_of_it(tmp_path: Path) -> None:
    """Runs with many films and with few share shards, which are mapped at first use."""
    many = Rotation(data_dir=str(tmp_path), sequence_length=4, train_size=8, test_size=30)
    few = Rotation(data_dir=str(tmp_path), sequence_length=4, train_size=8, test_size=3)
    many.prepare_data()
    many.setup()
    first = many.dataset("test")[0].frames
    (shard,) = tmp_path.rglob("test-*.npy")
    shard.write_bytes(shard.read_bytes()[:-1])
    few.prepare_data()
    again = Rotation(data_dir=str(tmp_path), sequence_length=4, train_size=8, test_size=30)
    again.setup()
    assert (again.dataset("test")[0].frames == first).all()
    assert again.dataset("test")[29].frames.shape == (4, 3, 32, 32)
