"""Likelihoods of frames and of a function's values, in nats."""

from math import log, pi
from typing import Literal, NamedTuple, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from datamodules.loading.checks import require_one_of
from memory_cores.parts.checks import require_positive

LOG_2_PI = log(2 * pi)
#: Initial standard deviation of intensities: about that of digits about their mean.
FIRST_SIGMA = 0.3
#: Half of the distance between neighbouring intensities of a byte.
HALF_LEVEL = 0.5 / 255


def exact(*parts: Tensor) -> tuple[Tensor, ...]:
    """Return tensors in at least float32, whatever the decoder's precision.

    Likelihoods are summed over pixels, targets and steps, for which bfloat16 is too coarse.
    """
    return tuple(part.to(torch.promote_types(part.dtype, torch.float32)) for part in parts)


def bernoulli_log_likelihood(logits: Tensor, intensities: Tensor) -> Tensor:
    """Log-likelihood of intensities in [0, 1] as independent Bernoulli means, in nats.

    Args:
        logits: logits of the Bernoulli means, [B, T, C, H, W].
        intensities: [B, T, C, H, W] in [0, 1].

    Returns:
        log_likelihood: [B, T], summed over pixels.
    """
    logits, intensities = exact(logits, intensities)
    nats = F.binary_cross_entropy_with_logits(logits, intensities, reduction="none")
    return -nats.flatten(2).sum(2)


class BernoulliLikelihood(nn.Module):
    """``bernoulli_log_likelihood`` as a module; its nats are comparable across runs."""

    def forward(self, logits: Tensor, intensities: Tensor) -> Tensor:
        """Return the log-likelihood [B, T] of intensities [B, T, C, H, W], in nats."""
        return bernoulli_log_likelihood(logits, intensities)


class GaussianLikelihood(nn.Module):
    """Density of intensities as independent Gaussians of the same width.

    Args:
        sigma: the width; learned if none is given.
    """

    def __init__(self, sigma: float | None = None) -> None:
        super().__init__()
        self.log_sigma = nn.Parameter(torch.tensor(log(sigma or FIRST_SIGMA)))
        self.log_sigma.requires_grad_(sigma is None)

    def forward(self, logits: Tensor, intensities: Tensor) -> Tensor:
        """Return the log density [B, T] of intensities [B, T, C, H, W], in nats.

        The means are in [0, 1], with logits ``logits`` [B, T, C, H, W].
        """
        logits, intensities = exact(logits, intensities)
        errors = (intensities - logits.sigmoid()).square().flatten(2).sum(2)
        pixels = intensities[0, 0].numel()
        width = self.log_sigma.exp()
        return -errors / (2 * width.square()) - pixels * (self.log_sigma + LOG_2_PI / 2)


class LogisticLikelihood(nn.Module):
    """Probability of 256 intensities as independent discretised logistics of one learned width.

    Each intensity k / 255 has the logistic's mass between the midpoints to its neighbours; 0 and
    255 also have the tails (Salimans et al. 2017, eq. 2, with one component).
    """

    def __init__(self) -> None:
        super().__init__()
        # A logistic's standard deviation is pi / sqrt(3) times its scale.
        self.log_scale = nn.Parameter(torch.tensor(log(FIRST_SIGMA * 3**0.5 / pi)))

    def forward(self, logits: Tensor, intensities: Tensor) -> Tensor:
        """Return the log-probability [B, T] of intensities [B, T, C, H, W], in nats.

        The locations are in [0, 1], with logits ``logits`` [B, T, C, H, W].
        """
        logits, intensities = exact(logits, intensities)
        scale = self.log_scale.exp()
        offset = intensities - logits.sigmoid()
        above, below = (offset + HALF_LEVEL) / scale, (offset - HALF_LEVEL) / scale
        # sigmoid(a) - sigmoid(b) = sigmoid(a) sigmoid(-b) (1 - exp(b - a)): it never rounds to 0.
        inside = F.logsigmoid(above) + F.logsigmoid(-below) + (-torch.expm1(below - above)).log()
        nats = torch.where(intensities < HALF_LEVEL, F.logsigmoid(above), inside)
        nats = torch.where(intensities > 1 - HALF_LEVEL, F.logsigmoid(-below), nats)
        return nats.flatten(2).sum(2)


Likelihood = Literal["bernoulli", "gaussian", "logistic"]


def make_likelihood(kind: Likelihood, sigma: float | None = None) -> nn.Module:
    """Build the likelihood of frames of this kind.

    Args:
        kind: its name.
        sigma: width of the Gaussian; learned if none is given.

    Raises:
        ValueError: there is no such kind, the width is not positive, or the kind has none.
    """
    require_one_of(get_args(Likelihood), likelihood=kind)
    if sigma is not None:
        require_positive(likelihood_sigma=sigma)
        if kind != "gaussian":
            raise ValueError(f"likelihood_sigma must be null for {kind}, got {sigma}")
    if kind == "gaussian":
        return GaussianLikelihood(sigma)
    return LogisticLikelihood() if kind == "logistic" else BernoulliLikelihood()


class Targets(NamedTuple):
    """Gaussians of a function's values at targets, independent in all dimensions."""

    mean: Tensor  #: [..., M, Dy]
    sigma: Tensor  #: [..., M, Dy], above 0

    def log_density(self, y: Tensor) -> Tensor:
        """Return the log density [..., M] of y [..., M, Dy] in nats, summed over dimensions."""
        mean, sigma = exact(*self)
        return -(((y - mean) / sigma).square() / 2 + sigma.log() + LOG_2_PI / 2).sum(-1)

    def mixed(self) -> "Targets":
        """Reduce a mixture of K equal weights, [K, ...], to its mean and sigma, [...]."""
        # Law of total variance: the mean of the variances plus the variance of the means.
        variance = self.sigma.square().mean(0) + self.mean.var(0, correction=0)
        return Targets(self.mean.mean(0), variance.sqrt())
