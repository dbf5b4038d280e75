"""Weights, copies and temperatures of particles."""

import math

import pytest
import torch

from datamodules.points.gaussian_process.particles import Particles


def particles(weights: list[float], now: list[float]) -> Particles:
    log_weight = torch.tensor(weights, dtype=torch.float64).log()
    start = Particles.uniform(torch.arange(len(weights)).double().view(-1, 1, 1))
    return start._replace(log_weight=log_weight, now=torch.tensor(now, dtype=torch.float64))


def test_evidence_comes_in_as_far_as_half_stay_effective() -> None:
    sharp = particles([0.25] * 4, [0.0, 30, -30, 10])
    change = sharp.next_increment(1.0)
    assert 0 < change < 0.2
    assert sharp.tempered(change).effective_samples() == pytest.approx(2, abs=1e-6)
    assert sharp.next_increment(1e-6) == 1e-6
    assert particles([0.25] * 4, [0.0, 0.1, 0.2, 0.3]).next_increment(1.0) == 1


def test_heated_weights_are_those_of_the_evidence_to_a_power() -> None:
    weights = particles([0.5, 0.5], [0.0, math.log(9)]).tempered(0.5)
    assert weights.log_weight.exp().tolist() == pytest.approx([0.25, 0.75])


def test_copies_count_once_until_they_move() -> None:
    generator = torch.Generator().manual_seed(0)
    drawn = particles([0.5, 0.5, 0, 0], [1.0, 3, 5, 7]).resampled(generator)
    assert drawn.place.flatten().tolist() == [0, 0, 1, 1] and drawn.now.tolist() == [1, 1, 3, 3]
    assert drawn.log_weight.exp().tolist() == [0.25] * 4
    assert drawn.effective_samples() == pytest.approx(2)
    accepted = torch.tensor([True, False, False, False])
    moved = drawn.moved(accepted, drawn.place + 10, drawn.before + 1, drawn.now + 2)
    assert moved.place.flatten().tolist() == [10, 0, 1, 1]
    assert moved.before.tolist() == [1, 0, 0, 0] and moved.now.tolist() == [3, 1, 3, 3]
    # Weights 1/4, 1/4 and twice 1/4.
    assert moved.effective_samples() == pytest.approx(16 / 6)


def test_resampling_draws_by_weight_with_as_little_chance_as_can_be() -> None:
    generator = torch.Generator().manual_seed(1)
    some = particles([0.11, 0.22, 0.67, 0, 0, 0, 0, 0, 0, 0], [0.0] * 10)
    drawn = torch.stack([some.resampled(generator).place.flatten() for _ in range(2_000)])
    counts = torch.stack([(drawn == value).sum(1) for value in range(3)], 1)
    assert counts.double().mean(0).tolist() == pytest.approx([1.1, 2.2, 6.7], abs=0.05)
    assert counts.amin(0).tolist() == [1, 2, 6] and counts.amax(0).tolist() == [2, 3, 7]


def test_the_spread_is_a_root_of_the_covariance() -> None:
    place = torch.randn(5, 4, 2, dtype=torch.float64)
    weight = torch.rand(5, dtype=torch.float64)
    weight /= weight.sum()
    root = Particles.uniform(place)._replace(log_weight=weight.log()).spread()
    expected = torch.cov(place.flatten(1).T, correction=0, aweights=weight)
    torch.testing.assert_close(root.T @ root, expected)
