"""Sequences of pictures: a pure function of (seed, split, epoch, index)."""

from collections.abc import Callable

import lightning as L
import pytest
import torch
from jsonargparse import ArgumentParser

from datamodules import FrameSequences, MNISTMaze, PerfectRecall, Rotation, SequenceDataModule
from datamodules.loading.episodes import fingerprint
from tests.datamodules.benchmarks import benchmarks
from tests.datamodules.epochs import sequences

Make = Callable[..., MNISTMaze]
VAL_SHA256 = "2f276b3a841baef5c83fd6dac763bc44ae20e193d038e6a1c23f59da22a110e0"


def equal(one: FrameSequences, other: FrameSequences) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("settings", [{"num_workers": 2}, {"batch_size": 7}, {"batch_size": 100}])
def test_workers_and_batch_sizes_change_nothing(make_maze: Make, settings: dict) -> None:
    loader, reference = make_maze(**settings).train_dataloader(), make_maze().train_dataloader()
    for epoch in (0, 3):
        assert equal(sequences(loader, epoch), sequences(reference, epoch))


def test_single_items_are_the_rows_of_a_batch(make_maze: Make) -> None:
    dataset = make_maze().dataset("test")
    for row, item in enumerate(map(dataset.__getitem__, (4, 0, 9))):
        batch = dataset.__getitems__([4, 0, 9])
        assert equal(item, FrameSequences(*(field[row] for field in batch)))


def test_epochs_splits_and_seeds_differ(make_maze: Make) -> None:
    maze = make_maze(train_size=10)
    walks = [
        sequences(maze.train_dataloader(), 0),
        sequences(maze.train_dataloader(), 1),
        sequences(maze.val_dataloader()),
        sequences(maze.test_dataloader()),
        sequences(make_maze(train_size=10, seed=1).train_dataloader()),
    ]
    rows = [tuple(row.tolist()) for batch in walks for row in batch.place]
    assert len(set(rows)) == len(rows) == 50


def test_an_index_does_not_depend_on_the_size_of_the_epoch(make_maze: Make) -> None:
    small, large = make_maze(train_size=5), make_maze(train_size=50)
    one, other = small.dataset("train")[5 * 2 + 3], large.dataset("train")[50 * 2 + 3]
    assert equal(one, other._replace(episode=one.episode))


def test_evaluation_sets_stay_the_same_in_every_epoch(make_maze: Make) -> None:
    maze = make_maze(eval_batch_size=4)
    assert equal(sequences(maze.val_dataloader(), 0), sequences(maze.val_dataloader(), 7))
    assert equal(sequences(maze.test_dataloader()), sequences(maze.predict_dataloader()))


def test_the_record_names_the_source_and_pins_the_test_set(make_maze: Make) -> None:
    record = make_maze().data_record()
    assert record["source"] == "mnist5k" and len(record["sha256"]) == 64
    assert record == make_maze(batch_size=3).data_record()
    assert record["sha256"] == make_maze(seed=1).data_record()["sha256"]
    assert record["test_sha256"] != make_maze(seed=1).data_record()["test_sha256"]


def test_the_generator_has_not_changed_silently(make_maze: Make) -> None:
    """Published numbers no longer compare if this fails on purpose: say so in the change log."""
    assert fingerprint(make_maze(val_size=8).dataset("val")) == VAL_SHA256


def test_lightning_leaves_the_samplers_alone_and_sets_their_epoch(make_maze: Make) -> None:
    class Witness(L.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(()))
            self.seen: dict[str, list[FrameSequences]] = {"train": [], "val": []}

        def training_step(self, batch: FrameSequences) -> torch.Tensor:
            self.seen["train"].append(batch)
            return self.weight * batch.frames.mean()

        def validation_step(self, batch: FrameSequences) -> None:
            self.seen["val"].append(batch)

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), lr=0.1)

    model, maze = Witness(), make_maze(batch_size=24)
    L.Trainer(
        max_epochs=2,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    ).fit(model, datamodule=maze)
    for epoch in (0, 1):
        expected = maze.dataset("train").__getitems__(range(24 * epoch, 24 * epoch + 24))
        assert equal(model.seen["train"][epoch], expected)
        assert equal(model.seen["val"][epoch], maze.dataset("val").__getitems__(range(10)))


def test_sizes_are_known_before_any_data() -> None:
    maze = MNISTMaze(data_dir="nowhere", grid=3, sequence_length=9, batch_size=4)
    assert (maze.sequence_length, maze.action_size, maze.frame_shape) == (9, 5, (1, 28, 28))
    assert maze.hparams["grid"] == 3 and maze.hparams["batch_size"] == 4
    with pytest.raises(RuntimeError, match="setup"):
        maze.train_dataloader()


def test_the_command_line_knows_the_shared_settings() -> None:
    parser = ArgumentParser()
    parser.add_subclass_arguments(SequenceDataModule, "data")
    chosen = [
        "--data=MNISTMaze",
        "--data.curriculum=[{batches: 5, grids: [2, 3]}]",
        "--data.source=mnist5k",
    ]
    maze = parser.instantiate(parser.parse_args([*chosen, "--data.batch_size=7"])).data
    assert isinstance(maze, MNISTMaze)
    assert maze.hparams["batch_size"] == 7
    assert maze.hparams["curriculum"] == [{"batches": 5, "grids": [2, 3]}]


@pytest.mark.parametrize("kind", benchmarks(SequenceDataModule))
def test_answers_are_earlier_steps_and_equal_places_equal_frames(
    make: Callable[..., SequenceDataModule], kind: type[SequenceDataModule]
) -> None:
    data = make(kind)
    batch = data.dataset("val").__getitems__(range(40))
    steps = torch.arange(batch.place.shape[1])
    assert (batch.recalled_from < steps).all() and (batch.recalled_from >= -1).all()
    assert ((batch.recalled_from >= 0).sum(1) > 0).all()
    if issubclass(kind, Rotation):
        return  # a view of the second turn lies between two of the first
    for frames, place in zip(batch.frames, batch.place, strict=True):
        for where in place.unique():
            here = frames[place == where]
            assert torch.equal(here, here[:1].expand_as(here))
    if data.classifier is not None:
        return  # a class is recalled, not a picture
    sequence, step = (batch.recalled_from >= 0).nonzero(as_tuple=True)
    answer = batch.recalled_from[sequence, step]
    assert torch.equal(batch.frames[sequence, step], batch.frames[sequence, answer])
    assert torch.equal(batch.place[sequence, step], batch.place[sequence, answer])


@pytest.mark.parametrize("kind", benchmarks(SequenceDataModule))
def test_frames_and_actions_have_the_promised_form(
    make: Callable[..., SequenceDataModule], kind: type[SequenceDataModule]
) -> None:
    data = make(kind)
    batch = data.dataset("test").__getitems__([0, 1])
    assert batch.frames.shape == (2, data.sequence_length, *data.frame_shape)
    assert batch.actions.shape == (2, data.sequence_length, data.action_size)
    assert data.action_size == len(data.action_names) or not data.action_names
    assert 1 <= data.prefix_length < data.sequence_length


def test_what_is_no_maze_has_no_grid_and_no_moves() -> None:
    data = PerfectRecall()
    assert data.grid is None and data.action_names == () and data.action_size == 0
