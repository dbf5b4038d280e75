"""Recall tasks: random pictures first, and what a batch says of the steps that recall them.

The rule of each task is tested beside its own file.
"""

from collections import Counter
from pathlib import Path

import pytest
import torch

from datamodules.frames.recall import RecallDataModule
from datamodules.sources import DIGITS
from tests.datamodules.benchmarks import benchmarks
from tests.datamodules.recall_sequences import SEQUENCES, Make, pictures_of, sequences

TASKS = [task for task in benchmarks(RecallDataModule) if task.images_of is DIGITS]


@pytest.mark.parametrize("task", TASKS)
def test_the_first_frames_are_random_pictures_of_the_split(make: Make, task: type) -> None:
    built = make(task)
    seen, pictures = sequences(built)
    drawn = Counter(p for s in seen for p in s.pictures[: built.pre_recall_length])
    missed = (1 - 1 / len(pictures.labels)) ** (SEQUENCES * built.pre_recall_length)
    assert abs(1 - len(drawn) / len(pictures.labels) - missed) < 0.03
    assert max(drawn.values()) < 15
    assert all([pictures.labels[p] for p in s.pictures] == s.labels for s in seen)


@pytest.mark.parametrize("task", TASKS)
def test_a_picture_that_comes_twice_by_chance_is_new(make: Make, task: type) -> None:
    """Two of 20 pictures among 500 are equal in every third sequence."""
    twins = 0
    for seen in sequences(make(task, pre_recall_length=20), "val")[0]:
        first = seen.pictures[:20]
        twins += len(set(first)) < 20
        assert seen.recalled_from[:20] == [-1] * 20
        assert seen.place[:20] == list(range(20))
    assert 80 < twins < 200


@pytest.mark.parametrize("task", TASKS)
def test_batches_have_the_promised_form(make: Make, task: type, source: str, real_data: Path):
    built = make(task, source=source, data_dir=str(real_data), batch_size=6)
    batch = next(iter(built.train_dataloader()))
    steps = built.sequence_length
    assert built.action_size == 0 and built.frame_shape == (1, 28, 28)
    assert batch.frames.shape == (6, steps, 1, 28, 28) and batch.frames.dtype == torch.float32
    assert batch.actions.shape == (6, steps, 0) and batch.actions.dtype == torch.float32
    for field in (batch.recalled_from, batch.place, batch.labels):
        assert field.shape == (6, steps) and field.dtype == torch.int64
    assert batch.frames.min() == 0 and batch.frames.max() == 1
    assert built.data_record()["source"] == source


@pytest.mark.parametrize("task", TASKS)
def test_sequences_repeat_with_the_seed_and_differ_between_splits(make: Make, task: type) -> None:
    one, same = make(task), make(task)
    assert one.data_record() == same.data_record()
    assert one.data_record()["test_sha256"] != make(task, seed=1).data_record()["test_sha256"]
    rows = [
        row.numpy().tobytes()
        for split in ("train", "val", "test")
        for row in one.dataset(split).__getitems__(range(50)).frames  # type: ignore[arg-type]
    ]
    assert len(set(rows)) == 150


@pytest.mark.parametrize("task", TASKS)
def test_no_picture_is_in_two_splits(make: Make, task: type) -> None:
    built = make(task)
    parts = [set(pictures_of(built, split).number) for split in ("train", "val", "test")]
    assert len(set.union(*parts)) == sum(map(len, parts))


@pytest.mark.parametrize("task", TASKS)
def test_workers_change_nothing(make: Make, task: type) -> None:
    alone, helped = (
        list(make(task, num_workers=workers, train_size=20, batch_size=10).train_dataloader())
        for workers in (0, 2)
    )
    assert len(alone) == len(helped) == 2
    for one, other in zip(alone, helped, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("task", TASKS)
def test_generation_begins_where_everything_can_be_known(make: Make, task: type) -> None:
    data = make(task, pre_recall_length=20)
    assert data.prefix_length >= data.pre_recall_length == 20
    recalled = data.dataset("test")[0].recalled_from >= 0
    assert not recalled[: data.prefix_length].any() and recalled[data.prefix_length :].all()
