"""The oracle, against brute force and its own contract."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch

from datamodules import DriftingFunctions, FunctionSequences
from datamodules.points.gaussian_process.draws import factors
from datamodules.points.gaussian_process.oracle import (
    NOISE,
    condition,
    expected_nll,
    nll,
    predict,
    squared_z,
    step_means,
)

POINTS = 51
BEST = math.log(0.1) + 0.5 * math.log(2 * math.pi)


def draw(count: int, regime: str = "transfer", **settings) -> FunctionSequences:
    sizes = {"test_size": count, "test_points": POINTS, "seed": 7, **settings}
    data = DriftingFunctions(regime=regime, **sizes)
    data.setup()
    return data.dataset("test").__getitems__(range(count))


def target(sequences: FunctionSequences) -> torch.Tensor:
    return sequences.target_y[..., 0].double()


def brute_force(one: FunctionSequences, step: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Mean, variance and log evidence from the joint covariance of all values, in NumPy."""
    x = np.array([-4 + 8 * i / POINTS for i in range(POINTS)])
    roots = []
    for length_scale, scale in one.task.double().numpy():
        near = np.exp(-((x[:, None] - x) ** 2) / (2 * length_scale**2))
        roots.append(np.linalg.cholesky(scale**2 * near + 0.02**2 * np.eye(POINTS)))
    where, values = [], []
    for s in range(step + 1):
        for place, value, real in zip(
            one.context_x[s, :, 0], one.context_y[s, :, 0], one.context_mask[s], strict=True
        ):
            if real:
                where.append(roots[s][np.abs(x - float(place)).argmin()])
                values.append(float(value))
    targets = [roots[step][np.abs(x - float(p)).argmin()] for p in one.target_x[step, :, 0]]
    n, joint = len(values), np.array(where + targets)
    covariance = joint @ joint.T
    seen = covariance[:n, :n] + NOISE**2 * np.eye(n)
    solved = np.linalg.solve(seen, np.column_stack([np.array(values), covariance[:n, n:]]))
    mean = covariance[n:, :n] @ solved[:, 0]
    variance = np.diag(covariance[n:, n:] - covariance[n:, :n] @ solved[:, 1:])
    log_evidence = -0.5 * (
        np.array(values) @ solved[:, 0] + np.linalg.slogdet(2 * math.pi * seen)[1]
    )
    return mean, variance, log_evidence


@pytest.mark.parametrize("everything", [True, False])
@pytest.mark.parametrize("regime", ["sparse", "transfer"])
def test_agrees_with_brute_force(regime: str, everything: bool) -> None:
    sequences = draw(2, regime)
    if not everything:  # targets of a few points, padded, as in training
        cut = {
            name: getattr(sequences, name)[:, :, 5:30:4].clone()
            for name in ("target_x", "target_y", "target_mask", "target_seen")
        }
        sequences = sequences._replace(**cut)
    found = predict(sequences, POINTS)
    for row in range(2):
        one = FunctionSequences(*(field[row] for field in sequences))
        for step in (0, 2, 5, 12, one.task.shape[0] - 1):
            if not one.context_mask[: step + 1].any():
                continue
            mean, variance, log_evidence = brute_force(one, step)
            assert np.allclose(found.mean[row, step], mean, atol=1e-4)
            assert np.allclose(found.variance[row, step], variance, atol=1e-6)
            assert float(found.log_evidence[row, step]) == pytest.approx(log_evidence, rel=1e-4)


def test_without_a_context_it_is_the_prior() -> None:
    sequences = draw(3)
    sequences = sequences._replace(context_mask=sequences.context_mask.clone())
    sequences.context_mask[:, :4] = False
    found = predict(sequences, POINTS)
    assert (found.mean[:, :4] == 0).all() and (found.log_evidence[:, :4] == 0).all()
    prior = sequences.task[:, :4, 1].double().square() + 0.02**2
    assert torch.allclose(found.variance[:, :4], prior.unsqueeze(-1).expand(-1, -1, POINTS))
    assert (found.variance[:, 4].mean(-1) < 0.1 * prior[:, 3]).all() and found.mean[:, 4].any()


def test_a_full_context_leaves_only_the_decoders_floor() -> None:
    sequences = draw(3)
    full = torch.ones(3, 20, POINTS, dtype=torch.bool)
    sequences = sequences._replace(
        context_x=sequences.target_x, context_y=sequences.target_y, context_mask=full
    )
    found = predict(sequences, POINTS)
    assert pytest.approx(-1.3836, abs=1e-4) == BEST
    assert torch.allclose(expected_nll(found.variance), torch.tensor(BEST).double(), atol=1e-5)
    actual = nll(target(sequences), found.mean, found.variance)
    assert torch.allclose(actual, torch.tensor(BEST).double(), atol=1e-5)


@pytest.mark.parametrize("regime", ["sparse", "transfer"])
def test_more_context_never_raises_the_expected_nll(regime: str) -> None:
    sequences = draw(3, regime)
    random = torch.rand(sequences.context_mask.shape, generator=torch.Generator().manual_seed(0))
    variances = [
        predict(sequences._replace(context_mask=sequences.context_mask & (random < share)), POINTS)
        for share in (0, 0.3, 0.6, 0.9, 1)
    ]
    for fewer, more in pairwise(variances):
        rise = expected_nll(more.variance) - expected_nll(fewer.variance)
        assert rise.max() < 1e-9 and rise.mean() < -1e-5


def test_predictions_are_calibrated() -> None:
    """The actual NLL is on average the expected one, and errors have the predicted variance."""
    sequences = draw(150, "sparse", test_length=12, sequence_length=12, context_steps=10)
    found = predict(sequences, POINTS)
    actual = nll(target(sequences), found.mean, found.variance).mean((1, 2))
    difference = actual - expected_nll(found.variance).mean((1, 2))
    assert abs(difference.mean()) < 3.3 * difference.std() / 150**0.5
    unsure = found.variance > 0.1
    z = squared_z(target(sequences), found.mean, found.variance)[unsure]
    assert z.mean() == pytest.approx(1, abs=0.15) and unsure.float().mean() > 0.2


def test_the_future_is_not_known() -> None:
    sequences = draw(2)
    later = sequences._replace(context_y=sequences.context_y.clone())
    later.context_y[:, 6:] += 1
    one, other = predict(sequences, POINTS), predict(later, POINTS)
    for before, after in zip(one, other, strict=True):
        assert torch.equal(before[:, :6], after[:, :6])
    assert torch.equal(one.variance, other.variance), "which knows places only"
    assert not torch.equal(one.mean, other.mean)
    assert (other.log_evidence[:, 6] < one.log_evidence[:, 6] - 10).all()


def test_sequences_with_the_same_kernels_are_conditioned_together() -> None:
    """Padding to the longest of them changes nothing."""
    sequences = draw(3, velocities=(0.0, 0.0), length_scale=(1.5, 1.5), scale=(2.0, 2.0))
    together = condition(factors(sequences.task[0], POINTS), sequences)
    for alone, batched in zip(predict(sequences, POINTS), together, strict=True):
        assert torch.allclose(alone, batched, atol=1e-6)


@pytest.mark.parametrize("variance", [0.0, 0.004, 0.01, 0.3, 4.0])
def test_the_expected_nll_is_the_best_that_the_decoder_can_have(variance: float) -> None:
    z = np.linspace(-9, 9, 20_001)
    y, weights = z * variance**0.5, np.exp(-0.5 * z**2) / np.exp(-0.5 * z**2).sum()

    def cost(density: np.ndarray) -> float:
        with np.errstate(divide="ignore"):  # a narrow density may be 0 far away
            return float(-(weights * np.log(density)).sum())

    def gaussian(mean: float, sigma: float) -> np.ndarray:
        return np.exp(-0.5 * ((y - mean) / sigma) ** 2) / (sigma * (2 * math.pi) ** 0.5)

    best = expected_nll(torch.tensor(variance, dtype=torch.float64)).item()
    sigma = max(0.1, variance**0.5)
    assert cost(gaussian(0, sigma)) == pytest.approx(best, abs=1e-9)
    for other in (0.1, 0.1 + 0.9 * variance**0.5, sigma * 1.05, 1.0):
        assert cost(gaussian(0, max(0.1, other))) >= best - 1e-9
    for share in (0.01, 0.1, 0.5):
        for away in (0.02, 0.1, 0.5):
            sides = 0.5 * (gaussian(away, 0.1) + gaussian(-away, 0.1))
            assert cost((1 - share) * gaussian(0, sigma) + share * sides) >= best - 1e-9


def test_step_means_leave_out_what_was_not_chosen() -> None:
    values = torch.tensor([[[1.0, 9.0], [3.0, 5.0]], [[2.0, 6.0], [7.0, 7.0]]])
    chosen = torch.tensor([[[True, False], [False, False]], [[True, True], [False, False]]])
    means = step_means(values, chosen)
    assert means[0] == 3 and means[1].isnan()
