"""Kernels start uniformly, drift with constant velocities, and stay above the floor."""

import numpy as np
import pytest

from datamodules.points.gaussian_process.kernel_drift import FLOOR, KernelDrift, reflect, reflected

SPARSE = KernelDrift((0.7, 1.2), (1.0, 1.6), (0.03, 0.05))


def free(drift: KernelDrift, count: int, steps: int, seed: int = 0) -> np.ndarray:
    return drift.free_paths(np.random.default_rng(seed), count, steps)


def chi_square(values: np.ndarray, low: float, high: float) -> float:
    """Chi-square of ten equal bins: 9 degrees of freedom, 27.9 at 0.1%."""
    assert values.min() >= low and values.max() <= high
    counts, _ = np.histogram(values, 10, (low, high))
    return ((counts - len(values) / 10) ** 2).sum() / (len(values) / 10)


def test_starts_are_uniform_and_independent() -> None:
    start = free(SPARSE, 10_000, 1)[:, 0]
    assert chi_square(start[:, 0], 0.7, 1.2) < 27.9
    assert chi_square(start[:, 1], 1.0, 1.6) < 27.9
    assert abs(np.corrcoef(start.T)[0, 1]) < 0.033


@pytest.mark.parametrize(("which", "most"), [(0, 0.03), (1, 0.05)])
def test_velocities_are_uniform_and_noise_is_a_tenth_of_them(which: int, most: float) -> None:
    moves = np.diff(free(SPARSE, 4_000, 401)[..., which], axis=1)
    velocity = moves.mean(axis=1)
    # The noise moves a mean of 400 steps by half a percent, so ends are cut off.
    inner = velocity[abs(velocity) < 0.9 * most]
    assert chi_square(inner, -0.9 * most, 0.9 * most) < 27.9
    assert len(inner) / len(velocity) == pytest.approx(0.9, abs=0.016)
    relative = moves / velocity[:, None] - 1
    assert relative.std() == pytest.approx(0.1, rel=0.01)
    assert abs(np.corrcoef(relative[:, :-1].ravel(), relative[:, 1:].ravel())[0, 1]) < 0.01


def test_additive_noise_does_not_depend_on_the_velocity() -> None:
    additive = KernelDrift((0.7, 1.2), (1.0, 1.6), (0.03, 0.05), "additive")
    moves = np.diff(free(additive, 2_000, 101), axis=1)
    assert (moves - moves.mean(axis=1, keepdims=True)).std() == pytest.approx(0.0995, rel=0.01)
    slow = abs(moves.mean(axis=1)) < 0.005
    assert moves.std(axis=1)[slow].mean() == pytest.approx(0.1, rel=0.02)


@pytest.mark.parametrize(("tied", "correlation", "error"), [(False, 0, 0.05), (True, 1, 1e-9)])
def test_l_and_s_are_independent_unless_tied(tied: bool, correlation: int, error: float) -> None:
    paths = free(KernelDrift((0.7, 1.2), (1.0, 1.6), (0.03, 0.05), tied=tied), 5_000, 30)
    moves = np.diff(paths, axis=1)
    for draws in (paths[:, 0], moves.mean(axis=1), moves[:, 3] / moves[:, 7]):
        ranks = draws.argsort(axis=0).argsort(axis=0)
        assert np.corrcoef(ranks.T)[0, 1] == pytest.approx(correlation, abs=error)


def test_one_number_makes_starts_and_velocities_where_all_are_tied() -> None:
    paths = free(KernelDrift((0.7, 1.2), (1.0, 1.6), (0.03, 0.05), tied=True), 200, 2_000)
    share = (paths[:, 0] - [0.7, 1.0]) / [0.5, 0.6]
    assert abs(share[:, 0] - share[:, 1]).max() < 1e-9
    velocity = np.diff(paths, axis=1).mean(axis=1)
    expected = (2 * share - 1) * [0.03, 0.05]
    # The noise is a tenth, and its mean a hundredth of 1 / sqrt(20) of the largest velocity.
    assert velocity == pytest.approx(expected, abs=0.0006)


def test_paths_turn_back_at_the_floor() -> None:
    assert FLOOR == 0.1
    path = np.array([0.3, 0.2, 0.1, 0.0, -0.1, -0.2])[None, :, None] + [0, 1]
    assert np.allclose(reflect(path)[0, :, 0], [0.3, 0.2, 0.1, 0.2, 0.3, 0.4])
    assert np.allclose(reflect(path)[0, :, 1], path[0, :, 1])
    assert reflected(path).tolist() == [True] and reflected(path[:, :2]).tolist() == [False]


def test_no_kernel_is_below_the_floor_and_the_share_that_touches_it_is_known() -> None:
    paths = free(SPARSE, 20_000, 50)
    assert reflect(paths).min() >= FLOOR > paths.min()
    # Without noise: the chance that 49 steps of a uniform velocity are enough.
    of_l = (0.03 - (0.95 - FLOOR) / 49) / 0.06
    of_s = (0.05 - (1.3 - FLOOR) / 49) / 0.10
    assert reflected(paths).mean() == pytest.approx(1 - (1 - of_l) * (1 - of_s), abs=0.012)
