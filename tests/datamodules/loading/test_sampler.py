"""Processes share sequences out: none twice, and equally many batches."""

from types import SimpleNamespace
from typing import Any

import pytest

from datamodules import MNISTMaze
from datamodules.loading.sampler import EpisodeSampler, even_batch_size


def episodes(
    size: int, rank: int, world_size: int, batch_size: int | None = None, start: int = 0
) -> list[int]:
    dataset: Any = range(size)
    sampler = EpisodeSampler(dataset, rank, world_size, batch_size, lambda: start)
    listed = list(sampler)
    assert len(listed) == len(sampler)
    return listed


@pytest.mark.parametrize("size", [3, 9, 10, 11])
def test_evaluation_deals_every_sequence_to_exactly_one_process(size: int) -> None:
    parts = [episodes(size, rank, 3) for rank in range(3)]
    assert sorted(sum(parts, [])) == list(range(size))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize("size", [9, 10, 11])
def test_training_deals_equally_many_distinct_new_sequences(size: int) -> None:
    starts = range(0, 27, 9)
    epochs = [[episodes(size, rank, 3, 3, start) for rank in range(3)] for start in starts]
    dealt = [episode for parts in epochs for part in parts for episode in part]
    assert sorted(dealt) == list(range(27))
    assert all(len(part) == 3 for parts in epochs for part in parts)


def test_a_step_of_many_processes_sees_the_batch_of_one() -> None:
    alone = episodes(12, 0, 1, 6, start=24)
    two = [episodes(12, rank, 2, 3, start=24) for rank in range(2)]
    assert sorted(two[0][:3] + two[1][:3]) == alone[:6]


@pytest.mark.parametrize(
    ("size", "batch_size", "batches"), [(10_000, 32, 156), (31, 4, 3), (8, 4, 1), (1, 4, 1)]
)
def test_an_epoch_of_training_has_whole_batches(size: int, batch_size: int, batches: int) -> None:
    """What fills none is left for the next epoch; there is one, however few the sequences."""
    parts = [episodes(size, rank, 2, batch_size, start=5) for rank in range(2)]
    assert [len(part) for part in parts] == [batches * batch_size] * 2
    assert sorted(sum(parts, [])) == list(range(5, 5 + 2 * batches * batch_size))


@pytest.mark.parametrize("size", range(4, 60))
@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_processes_evaluate_equally_many_batches(size: int, world_size: int) -> None:
    """Batch norm's buffers are broadcast in every forward pass, so a lone batch would hang."""
    batch_size = even_batch_size(size, world_size, at_most=8)
    assert 1 <= batch_size <= 8
    counts = {-(-len(range(rank, size, world_size)) // batch_size) for rank in range(world_size)}
    assert len(counts) == 1


def test_what_cannot_be_split_evenly_is_refused() -> None:
    with pytest.raises(ValueError, match="^eval_batch_size must .* got 1$"):
        even_batch_size(5, 2, at_most=1)
    with pytest.raises(ValueError, match="^eval_batch_size must .* got 8$"):
        even_batch_size(2, 3, at_most=8)


def test_the_loaders_take_rank_and_world_size_from_the_trainer() -> None:
    places = []
    for rank in range(3):
        maze = MNISTMaze(source="mnist5k", val_size=10, eval_batch_size=2)
        maze.setup()
        maze.trainer = SimpleNamespace(global_rank=rank, world_size=3)  # type: ignore[assignment]
        places += [tuple(row.tolist()) for batch in maze.val_dataloader() for row in batch.place]
    everything = maze.dataset("val").__getitems__(range(10)).place
    assert sorted(places) == sorted(tuple(row.tolist()) for row in everything)
