"""Coordinates of kernels' paths against the generator."""

import numpy as np
import pytest
import torch

from datamodules.points.gaussian_process.kernel_drift import FLOOR, KernelDrift
from datamodules.points.gaussian_process.kernel_prior import coordinates, paths

RANGES = ((0.4, 0.9), (0.2, 1.6), (0.03, 0.05))


@pytest.mark.parametrize("noise", ["multiplicative", "additive"])
@pytest.mark.parametrize("tied", [False, True])
def test_paths_are_distributed_as_the_generators(noise: str, tied: bool) -> None:
    drift = KernelDrift(*RANGES, noise, tied)  # type: ignore[arg-type]
    count, steps = 20_000, 12
    place = coordinates(drift, count, steps, torch.Generator().manual_seed(0))
    assert place.shape == (count, steps + 1, 1 if tied else 2)
    found = paths(drift, place).numpy()
    drawn = drift.paths(np.random.default_rng(0), count, steps)
    assert found.shape == drawn.shape and found.min() >= FLOOR
    # Shares below quantiles of l and s, of their moves and of their products, whose standard error
    # is at most 0.005.
    for look in (lambda p: p, lambda p: np.diff(p, axis=1), lambda p: p[..., :1] * p[..., 1:]):
        for share in np.linspace(0.1, 0.9, 5):
            below = look(found) <= np.quantile(look(drawn), share, axis=0)
            assert np.abs(below.mean(axis=0) - share).max() < 0.02


def test_coordinates_say_start_velocity_and_noise() -> None:
    drift = KernelDrift((1.0, 3.0), (2.0, 4.0), (0.2, 0.4))
    place = torch.zeros(1, 4, 2, dtype=torch.float64)
    assert paths(drift, place)[0].tolist() == [[2, 3]] * 3, "the middle, without a velocity"
    place[0, 0, 0], place[0, 1, 0] = 1.0, 9.0
    path = paths(drift, place)[0]
    assert path[:, 0].tolist() == pytest.approx([1 + 2 * 0.8413447, 2.8826894, 3.0826894])
    place[0, 3, 0] = -2.0
    assert paths(drift, place)[0, 2, 0].item() == pytest.approx(2.8826894 + 0.2 * (1 - 0.2))
    assert torch.equal(paths(drift, place[:, :3])[0], paths(drift, place)[0, :2])
