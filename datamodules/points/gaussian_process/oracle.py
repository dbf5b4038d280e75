"""The oracle: the Bayes optimum for drifting functions with known kernels.

Given the kernels, y_t = L_t w with one white vector w per sequence. So all context points so far
are linear observations of w, given which any target is Gaussian with known mean m and variance v.
The decoder cannot express every Gaussian: its sigma is at least `FLOOR`. There are two figures for
the negative log-likelihood (NLL) of the best Gaussian that it can express:

- `expected_nll`, in expectation over the target under N(m, v). E[-log N(y; m, sigma^2)] is
  log sigma + log(2 pi) / 2 + v / (2 sigma^2), least where sigma^2 is v, or FLOOR^2 if v is less.
  It depends on the context's locations, not on its values, and is -1.38 where v is 0. Mixtures of
  the decoder's Gaussians, as from a latent variable, do no better: if v >= FLOOR^2, N(m, v) is the
  best of all densities; else the derivative of the expected NLL towards a component at m + d is
  1 - exp(-d^2 (FLOOR^2 - v) / (2 FLOOR^4)) >= 0, so no other component helps.
- `nll`, of the actual target. Its mean over sequences estimates the expected one, with the noise
  that models have on the same sequences: subtract it from a model's NLL for the gap.
"""

from math import log, pi
from typing import NamedTuple

import torch
from torch import Tensor

from datamodules.points.batch import FunctionSequences
from datamodules.points.gaussian_process.draws import factors, grid_index

#: Minimum standard deviation of the decoder (its sigma is 0.1 + 0.9 softplus).
FLOOR = 0.1
#: Assumed standard deviation of the observations' error: far above float32 rounding and far below
#: the jitter, so that observations may coincide.
NOISE = 1e-4
LOG_2_PI = log(2 * pi)


class OraclePrediction(NamedTuple):
    """Distribution of the targets of step t given the contexts of steps 1 to t and the kernels."""

    mean: Tensor
    """Mean of every target, float64 [B, T, M]; undefined for padding."""
    variance: Tensor
    """Variance of every target's function value, without floor or noise, float64 [B, T, M]."""
    log_evidence: Tensor
    """Log density of the context points' values, float64 [B, T]; 0 without any."""


class Observations(NamedTuple):
    """All context points of each sequence in the order of their steps, padding last."""

    step: Tensor
    """int64 [B, N]."""
    point: Tensor
    """Index on the grid, int64 [B, N]."""
    value: Tensor
    """float64 [B, N], 0 where it is padding."""
    real: Tensor
    """bool [B, N]."""


def predict(sequences: FunctionSequences, points: int) -> OraclePrediction:
    """Condition on the context of all steps so far, with the kernels of the sequences.

    Args:
        sequences: B drifting functions.
        points: number G of points of the grid that generated them.
    """
    return joined([_predict_one(sequences, row, points) for row in range(len(sequences.task))])


def joined(parts: list[OraclePrediction]) -> OraclePrediction:
    """Concatenate the predictions of several batches."""
    return OraclePrediction(*(torch.cat(fields) for fields in zip(*parts, strict=True)))


def _predict_one(sequences: FunctionSequences, row: int, points: int) -> OraclePrediction:
    """Predict one sequence: its matrices [T, G, G] take up to 64 MB, too much for a batch."""
    alone = FunctionSequences(*(field[row : row + 1] for field in sequences))
    return condition(factors(alone.task[0], points), alone)


def condition(factor: Tensor, sequences: FunctionSequences) -> OraclePrediction:
    """Condition on the context of all steps so far, with the same kernels for all sequences.

    Args:
        factor: L of every step, float64 [T, G, G].
        sequences: B drifting functions.
    """
    points = factor.shape[-1]
    seen = observations(sequences, points)
    basis, coordinates, log_density = whiten(factor[seen.step, seen.point], seen, NOISE)
    steps = torch.arange(len(factor), device=factor.device)
    visible = seen.real.unsqueeze(1) & (seen.step.unsqueeze(1) <= steps.unsqueeze(-1))
    rows = factor[steps.view(-1, 1), grid_index(sequences.target_x[..., 0], points)]
    # [B, T, M, N]: loadings of the targets on the whitened observations.
    loadings = (rows.flatten(1, 2) @ basis.mT).unflatten(1, rows.shape[1:3])
    mean = (loadings @ (coordinates.unsqueeze(1) * visible).unsqueeze(-1)).squeeze(-1)
    explained = (loadings.square_() @ visible.to(loadings).unsqueeze(-1)).squeeze(-1)
    variance = torch.linalg.vector_norm(rows, dim=-1).square() - explained
    log_evidence = (log_density.unsqueeze(1) * visible).sum(-1)
    return OraclePrediction(mean, variance.clamp_min(0), log_evidence)


def observations(sequences: FunctionSequences, points: int) -> Observations:
    """List the context points of B sequences, padded to the largest number in one of them."""
    real = sequences.context_mask.flatten(1)
    first = real.int().argsort(dim=1, descending=True, stable=True)
    first = first[:, : int(real.sum(1).max())]
    fields = (
        torch.arange(real.shape[1], device=real.device).expand_as(real)
        // sequences.context_mask.shape[2],
        grid_index(sequences.context_x[..., 0], points).flatten(1),
        sequences.context_y[..., 0].flatten(1).double(),
        real,
    )
    return Observations(*(field.gather(1, first) for field in fields))


def whiten(rows: Tensor, seen: Observations, noise: float) -> tuple[Tensor, Tensor, Tensor]:
    """Whiten the observations (by the Cholesky factor of their covariance).

    Args:
        rows: row of the factor L for each observation, float64 [B, N, G].
        seen: the observations.
        noise: assumed standard deviation of their error.

    Returns:
        basis: Z [B, N, G]; conditioned on the first n, w has the covariance I - Z_n^T Z_n.
        coordinates: [B, N]; conditioned on the first n, w has the mean Z_n^T times the first n.
        log_density: of each value given those before it, [B, N]; 0 for padding.
    """
    rows = rows * seen.real.unsqueeze(-1)
    error = noise**2 * torch.eye(rows.shape[1], dtype=rows.dtype, device=rows.device)
    root = torch.linalg.cholesky(rows @ rows.mT + error)
    basis = torch.linalg.solve_triangular(root, rows, upper=False)
    values = torch.linalg.solve_triangular(root, seen.value.unsqueeze(-1), upper=False).squeeze(-1)
    log_density = -0.5 * (values.square() + LOG_2_PI) - root.diagonal(dim1=1, dim2=2).log()
    return basis, values, log_density * seen.real


def nll(target: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    """Compute the NLL in nats of actual targets under the decoder's best Gaussian.

    Args:
        target: values, [..., M].
        mean: of the prediction, [..., M].
        variance: of the prediction, [..., M].
    """
    log_variance = variance.clamp_min(FLOOR**2).log()
    return 0.5 * (LOG_2_PI + log_variance + squared_z(target, mean, variance))


def squared_z(target: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    """Divide squared errors by the variances of the decoder's best Gaussians, [..., M].

    Arguments are those of `nll`. The average is 1 if no variance is below `FLOOR`^2.
    """
    return (target - mean).square() / variance.clamp_min(FLOOR**2)


def expected_nll(variance: Tensor) -> Tensor:
    """Return the mean of `nll` in nats over targets distributed as predicted, [..., M]."""
    floored = variance.clamp_min(FLOOR**2)
    return 0.5 * (LOG_2_PI + floored.log() + variance / floored)


def step_means(values: Tensor, mask: Tensor) -> Tensor:
    """Return the mean over the selected points of every step.

    Args:
        values: such as NLLs, [B, T, M].
        mask: such as `target_mask & ~target_seen`, bool [B, T, M].

    Returns:
        [T]; NaN where nothing is selected.
    """
    return (values * mask).sum((0, 2)) / mask.sum((0, 2))
