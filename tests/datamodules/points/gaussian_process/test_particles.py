"""Weights, copies and temperatures of particles."""

import math

import pytest
import torch

from datamodules.points.gaussian_process.particles import Particles


def particles(weights: list[list[float]], now: list[list[float]]) -> Particles:
    log_weight = torch.tensor(weights, dtype=torch.float64).log()
    place = torch.arange(log_weight.numel()).double().view(*log_weight.shape, 1, 1)
    start = Particles.alike(place)
    return start._replace(log_weight=log_weight, now=torch.tensor(now, dtype=torch.float64))


def test_evidence_comes_in_as_far_as_half_stay_effective() -> None:
    sharp, flat = [0.0, 30, -30, 10], [0.0, 0.1, 0.2, 0.3]
    some = particles([[0.25] * 4] * 3, [sharp, flat, sharp])
    change = some.next_change(torch.tensor([1.0, 1.0, 1e-6], dtype=torch.float64))
    assert change[1] == 1 and change[2] == 1e-6 and 0 < change[0] < 0.2
    assert some.heated(change).effective_samples()[0].item() == pytest.approx(2, abs=1e-6)


def test_heated_weights_are_those_of_the_evidence_to_a_power() -> None:
    weights = particles([[0.5, 0.5]], [[0.0, math.log(9)]]).heated(torch.tensor([0.5]).double())
    assert weights.log_weight.exp()[0].tolist() == pytest.approx([0.25, 0.75])


def test_copies_count_once_until_they_move() -> None:
    generator = torch.Generator().manual_seed(0)
    drawn = particles([[0.5, 0.5, 0, 0], [0.25] * 4], [[0.0] * 4] * 2).resampled(generator)
    assert drawn.place.flatten(1).tolist() == [[0, 0, 1, 1], [4, 5, 6, 7]]
    assert drawn.log_weight.exp().tolist() == [[0.25] * 4] * 2
    assert drawn.effective_samples().tolist() == pytest.approx([2, 4])
    accepted = torch.tensor([[True, False, False, False]] * 2)
    moved = drawn.moved(accepted, drawn.place + 10, drawn.before + 1, drawn.now + 2)
    assert moved.place.flatten(1).tolist() == [[10, 0, 1, 1], [14, 5, 6, 7]]
    assert moved.before[0].tolist() == [1, 0, 0, 0] and moved.now[0].tolist() == [2, 0, 0, 0]
    # Weights 1/4, 1/4 and twice 1/4.
    assert moved.effective_samples().tolist() == pytest.approx([16 / 6, 4])
    again = moved.resampled(generator)
    assert again.name.max() < 4 and again.effective_samples()[0].item() == pytest.approx(16 / 6)


def test_resampling_draws_by_weight() -> None:
    generator = torch.Generator().manual_seed(1)
    some = particles([[0.1, 0.2, 0.7]] * 4_000, [[0.0] * 3] * 4_000)
    index = some.resampled(generator).place.flatten(1) - 3 * torch.arange(4_000).unsqueeze(1)
    share = torch.stack([(index == value).double().mean() for value in range(3)])
    assert share.tolist() == pytest.approx([0.1, 0.2, 0.7], abs=0.02)


def test_the_spread_is_a_root_of_the_covariance() -> None:
    place = torch.randn(2, 5, 4, 2, dtype=torch.float64)
    weight = torch.rand(2, 5, dtype=torch.float64)
    weight /= weight.sum(1, keepdim=True)
    root = Particles.alike(place)._replace(log_weight=weight.log()).spread(3)
    for b in range(2):
        expected = torch.cov(place[b, :, :3].flatten(1).T, correction=0, aweights=weight[b])
        torch.testing.assert_close(root[b].T @ root[b], expected)


def test_particles_of_some_sequences_go_back_to_their_places() -> None:
    some = particles([[0.5, 0.5]] * 3, [[0.0, 1.0]] * 3)
    rows = torch.tensor([2, 0])
    part = some.of(rows)
    assert part.place.flatten(1).tolist() == [[4, 5], [0, 1]]
    back = some.with_rows(rows, part._replace(now=part.now + 7))
    assert back.now.tolist() == [[7, 8], [0, 1], [7, 8]] and torch.equal(back.place, some.place)
