"""Inference of kernels: against brute force, and between the oracle and wrong kernels."""

import math

import pytest
import torch
from torch import Tensor

from datamodules import DriftingFunctions, FunctionSequences
from datamodules.points.gaussian_process import oracle
from datamodules.points.gaussian_process.draws import factors
from datamodules.points.gaussian_process.inferred_nll import factor_table
from datamodules.points.gaussian_process.kernel_inference import (
    NOISE,
    KernelInference,
    MixtureNLL,
    mixture_nll,
)
from datamodules.points.gaussian_process.kernel_prior import coordinates, paths
from datamodules.points.gaussian_process.particles import Particles

POINTS = 20


def benchmark(count: int, steps: int = 4, **settings: object) -> DriftingFunctions:
    sizes = {"test_size": count, "test_points": POINTS, "train_points": POINTS, "seed": 3}
    given = {"sequence_length": steps, "context_steps": steps, "contexts": (1, 3)} | settings
    data = DriftingFunctions(regime="sparse", **sizes, **given)  # type: ignore[arg-type]
    data.setup()
    return data


def drawn(data: DriftingFunctions) -> FunctionSequences:
    return data.dataset("test").__getitems__(range(len(data.dataset("test"))))


def infer(
    data: DriftingFunctions, sequences: FunctionSequences, number: int, seed: int = 0
) -> MixtureNLL:
    """Infer each sequence's kernels, and return NLLs [B, T, M] and sample sizes [B, T]."""
    dataset = data.dataset("test")
    generator = torch.Generator().manual_seed(seed)
    drift, table = dataset.recipe.drift, factor_table(dataset)
    runs = [
        KernelInference(drift, table, alone(sequences, row), generator).run(number)
        for row in range(len(sequences.task))
    ]
    return MixtureNLL(*(torch.stack(parts) for parts in zip(*runs, strict=True)))


def alone(sequences: FunctionSequences, row: int) -> FunctionSequences:
    return FunctionSequences(*(field[row : row + 1] for field in sequences))


def with_kernel(sequences: FunctionSequences, kernels: Tensor) -> Tensor:
    found = oracle.predict(sequences._replace(task=kernels), POINTS)
    return oracle.nll(sequences.target_y[..., 0].double(), found.mean, found.variance)


def by_brute_force(sequences: FunctionSequences, kernels: Tensor) -> Tensor:
    """Weight many kernels [S, T, 2] of one sequence by the evidence so far; NLL [T, M]."""
    copies = FunctionSequences(*(f[:1].expand(len(kernels), *f.shape[1:]) for f in sequences))
    seen = oracle.observations(sequences, POINTS)
    factor = factors(kernels, POINTS)
    rows = factor[:, seen.step[0], seen.point[0]]
    many = oracle.Observations(*(field.expand(len(kernels), -1) for field in seen))
    basis, coordinate, log_density = oracle.whiten(rows, many, NOISE)
    found = []
    for t in range(kernels.shape[1]):
        visible = (seen.step[0] <= t) & seen.real[0]
        target_rows = factor[:, t, oracle.grid_index(copies.target_x[0, t, :, 0], POINTS)]
        known = (target_rows @ basis.mT) * visible
        mean = (known @ coordinate.unsqueeze(2)).squeeze(2)
        variance = (target_rows.square().sum(2) - known.square().sum(2)).clamp_min(0)
        log_weight = (log_density * visible).sum(1).log_softmax(0)
        target = sequences.target_y[0, t, :, 0].double()
        found.append(mixture_nll(target, mean, variance, log_weight))
    return torch.stack(found)


def assert_agrees(data: DriftingFunctions, expected: Tensor) -> None:
    """Independent runs differ from brute force as much as from each other."""
    runs = torch.stack([infer(data, drawn(data), 200, seed).nll[0].mean(1) for seed in range(6)])
    error = runs.std(0) / len(runs) ** 0.5
    assert error.max() < 0.02
    assert ((runs.mean(0) - expected.mean(1)).abs() < 4 * error + 0.01).all()


def test_two_unknown_numbers_are_inferred_as_a_fine_grid_says() -> None:
    """Without velocities kernels do not drift, and l and s are all that is unknown."""
    ranges = {"length_scale": (0.4, 2.0), "scale": (0.5, 3.0)}
    data = benchmark(1, velocities=(0.0, 0.0), **ranges)
    share = (torch.arange(60).double() + 0.5) / 60
    grid = torch.cartesian_prod(0.4 + 1.6 * share, 0.5 + 2.5 * share)
    expected = by_brute_force(drawn(data), grid.unsqueeze(1).expand(-1, 4, -1))
    assert_agrees(data, expected)
    middle = with_kernel(drawn(data), torch.tensor([1.2, 1.75]).expand(1, 4, 2))
    assert abs(middle.mean() - expected.mean()) > 0.05, "else there is nothing to infer"


@pytest.mark.parametrize(
    ("noise", "protocol"),
    [("multiplicative", "strict"), ("additive", "strict"), ("multiplicative", "paper")],
)
def test_starts_velocities_and_noise_are_inferred_as_many_samples_of_the_prior_say(
    noise: str, protocol: str
) -> None:
    ranges = {"length_scale": (0.5, 2.0), "scale": (0.5, 3.0), "velocities": (0.2, 0.3)}
    data = benchmark(1, contexts=(1, 1), drift_noise=noise, protocol=protocol, **ranges)
    drift = data.recipe("test").drift
    assert drift.tied == (protocol == "paper")
    place = coordinates(drift, 8_000, 4, torch.Generator().manual_seed(9))
    assert_agrees(data, by_brute_force(drawn(data), paths(drift, place)))


def test_inference_loses_to_knowledge_and_beats_every_fixed_kernel() -> None:
    ranges = {"length_scale": (0.2, 3.0), "scale": (0.2, 4.0)}
    data = benchmark(12, steps=3, contexts=(3, 5), **ranges)
    sequences = drawn(data)
    found = infer(data, sequences, 24).nll.mean()
    assert found > with_kernel(sequences, sequences.task).mean() + 0.02
    for wrong in ([1.6, 2.1], [0.8, 2.1], [1.6, 3.0], [0.4, 0.6], [0.8, 1.2]):
        kernel = torch.tensor(wrong).expand_as(sequences.task)
        assert found < with_kernel(sequences, kernel).mean() - 0.1, wrong


def test_a_prior_that_is_a_point_gives_the_oracle() -> None:
    ranges = {"length_scale": (0.8, 0.8), "scale": (1.2, 1.2), "velocities": (0.0, 0.0)}
    data = benchmark(2, **ranges)
    found = infer(data, drawn(data), 5)
    known = with_kernel(drawn(data), drawn(data).task)
    assert torch.allclose(found.nll, known, atol=5e-3)
    assert torch.allclose(found.effective_samples, torch.tensor(5.0).double())


def test_without_a_context_all_particles_count_alike() -> None:
    data = benchmark(2)
    blind = drawn(data)
    blind = blind._replace(context_mask=torch.zeros_like(blind.context_mask))
    found = infer(data, blind, 3_000)
    assert torch.allclose(found.effective_samples, torch.tensor(3_000.0).double())
    y = blind.target_y[0, 3, 7, 0].double()
    place = coordinates(data.recipe("test").drift, 50_000, 4, torch.Generator().manual_seed(1))
    variance = paths(data.recipe("test").drift, place)[:, 3, 1].square() + 0.02**2
    density = (-0.5 * y**2 / variance).exp() / (2 * math.pi * variance).sqrt()
    assert found.nll[0, 3, 7].item() == pytest.approx(-density.mean().log().item(), abs=0.02)


def test_steps_do_not_use_later_evidence() -> None:
    data = benchmark(1, steps=8)
    sequences = drawn(data)
    later = sequences._replace(context_mask=sequences.context_mask.clone())
    later.context_mask[:, 5:] = False
    one, other = (infer(data, each, 20) for each in (sequences, later))
    assert torch.allclose(one.nll[:, :5], other.nll[:, :5])
    assert not torch.allclose(one.nll[:, 5:], other.nll[:, 5:])


def test_many_sharp_observations_leave_many_particles() -> None:
    """Importance sampling leaves one; from a step with 10 exact points on, tempering is needed."""
    data = benchmark(2, contexts=(8, 10), most_points=15)
    found = infer(data, drawn(data), 40)
    assert found.effective_samples.min() > 10


def test_a_mixture_is_as_wide_as_the_posterior_where_the_floor_lets_it() -> None:
    """Components that the floor widens move closer to each other."""
    y = torch.linspace(-8, 8, 16_001, dtype=torch.float64)
    log_weight = torch.tensor([0.25, 0.75], dtype=torch.float64).log()

    def moments(mean: list[float], variance: list[float]) -> tuple[float, float]:
        parts = (torch.tensor(p, dtype=torch.float64).view(2, 1) for p in (mean, variance))
        first, second = (part.expand(-1, len(y)) for part in parts)
        density = (-mixture_nll(y, first, second, log_weight)).exp() * 1e-3
        assert density.sum().item() == pytest.approx(1)
        centre = (density * y).sum()
        return centre.item(), (density * (y - centre).square()).sum().item()

    # Wide enough, sure but far apart, sure and near: then the floor's variance is the least.
    assert moments([0, 2], [0.5, 0.3]) == pytest.approx((1.5, 0.35 + 0.75), abs=1e-6)
    assert moments([0, 1], [1e-4, 1e-4]) == pytest.approx((0.75, 0.1875 + 1e-4), abs=1e-6)
    assert moments([0, 0.1], [1e-4, 1e-4]) == pytest.approx((0.075, 0.01), abs=1e-6)


def test_evidence_that_fits_no_longer_waits_for_the_particles_to_move() -> None:
    """If only half are effective, they must be resampled before evidence is added."""
    data = benchmark(1)
    dataset = data.dataset("test")
    generator = torch.Generator().manual_seed(0)
    sequence = drawn(data)
    run = KernelInference(dataset.recipe.drift, factor_table(dataset), sequence, generator)
    first = int(run.seen.step[0, 0])
    place = coordinates(run.drift, 8, first + 1, generator)
    weight = torch.tensor([0.9] + [0.1 / 7] * 7, dtype=torch.float64)
    few = Particles.uniform(place)._replace(log_weight=weight.log())
    after, least = run._condition(few, first)
    assert least < 4 < after.place[:, 0, 0].unique().numel()
