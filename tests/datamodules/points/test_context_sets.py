"""Contexts: which steps have one, how large it is, and which points are in it."""

import numpy as np
import pytest

from datamodules.points.context_sets import ContextSets, PointRecipe

SPARSE = ContextSets(50, 45, True, (1, 1), 11)
TRANSFER = ContextSets(20, 10, False, (5, 50), 51)
COUNT = 2_000


def sizes(sets: ContextSets) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    contexts, extras = zip(*(sets.sizes(rng) for _ in range(COUNT)), strict=True)
    return np.stack(contexts), np.stack(extras)


def chi_square(counts: np.ndarray) -> float:
    return float(((counts - counts.mean()) ** 2).sum() / counts.mean())


def test_sparse_has_one_point_in_45_random_steps() -> None:
    contexts, extras = sizes(SPARSE)
    assert set(contexts.ravel()) == {0, 1} and (contexts.sum(axis=1) == 45).all()
    empty = (contexts == 0).sum(axis=0)
    assert empty[0] > 0, "the first step may be empty"
    # 5 of 50 without replacement: 0.9 times a multinomial's chi-square of 49 df, 85.4 at 0.1%.
    assert chi_square(empty) / 0.9 < 85.4
    with_context = np.bincount(extras[contexts == 1])
    assert len(with_context) == 11 and with_context[0] == 0
    assert chi_square(with_context[1:]) < 27.9
    without = np.bincount(extras[contexts == 0])
    assert len(without) == 12 and without[0] == 0 and chi_square(without[1:]) < 29.6


def test_transfer_has_5_to_50_points_in_the_first_10_steps() -> None:
    contexts, extras = sizes(TRANSFER)
    assert (contexts[:, 10:] == 0).all()
    counts = np.bincount(contexts[:, :10].ravel())
    assert len(counts) == 51 and (counts[:5] == 0).all()
    assert chi_square(counts[5:]) < 80.1, "45 df, 0.1%"
    assert extras.min() == 1 and (contexts + extras).max() == 51
    free = np.bincount(extras[:, 10:].ravel())
    assert len(free) == 52 and chi_square(free[1:]) < 86.7, "50 df, 0.1%"
    at_40 = np.bincount(extras[contexts == 40])
    assert len(at_40) == 12 and chi_square(at_40[1:]) < 29.6, "10 df, 0.1%"
    assert np.corrcoef(contexts[:, 0], contexts[:, 1])[0, 1] < 0.08, "each step its own size"


def test_open_intervals_leave_out_their_upper_ends() -> None:
    contexts, extras = sizes(ContextSets(20, 10, False, (5, 50), 51, closed=False))
    assert contexts[:, :10].min() == 5 and contexts.max() == 49
    assert extras.min() == 1 and (contexts + extras).max() == 50
    contexts, extras = sizes(ContextSets(50, 45, True, (1, 1), 11, closed=False))
    assert (contexts.sum(axis=1) == 45).all() and extras[contexts == 1].max() == 9


@pytest.mark.parametrize("points", [51, 100])
def test_points_of_a_step_are_distinct_and_uniform(points: int) -> None:
    rng = np.random.default_rng(0)
    order = np.concatenate([TRANSFER.order(rng, points) for _ in range(200)])
    assert order.shape == (4_000, 51)
    assert all(len(set(row)) == 51 for row in order)
    assert order.min() == 0 and order.max() == points - 1
    limit = points + 4 * (2 * points) ** 0.5
    assert chi_square(np.bincount(order[:, 0], minlength=points)) < limit
    assert chi_square(np.bincount(order[:, 50], minlength=points)) < limit


def test_point_sets_are_shared_within_batches_of_every_epoch() -> None:
    """12 sequences in batches of 8: the second epoch begins with a batch of its own."""
    sets = ContextSets(3, 2, True, (1, 5), 9)
    recipe = PointRecipe(sets, everything=False, group_size=8)
    leaders = [recipe.leader(episode, 12) for episode in range(24)]
    assert leaders == [0] * 8 + [8] * 4 + [12] * 8 + [20] * 4


def test_a_batch_has_the_point_sets_of_the_stage_in_which_it_begins() -> None:
    early, middle = ContextSets(6, 4, True, (30, 100), 160), ContextSets(12, 9, True, (5, 9), 40)
    recipe = PointRecipe(SPARSE, False, 3, ((64, early), (96, middle)))
    found = [recipe.at(episode).sets for episode in (0, 63, 64, 95, 96, 10**9)]
    assert found == [early, early, middle, middle, SPARSE, SPARSE]
    assert recipe.at(64) == PointRecipe(middle, False, 3)
