"""Observation models: how likely frames or a function's values are, in nats."""

from math import log, pi
from typing import Literal, NamedTuple, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from datamodules.loading.checks import require_one_of

LOG_2_PI = log(2 * pi)
#: Standard deviation of a Gaussian's intensities at first: about that of digits about their mean.
FIRST_SIGMA = 0.3


def bernoulli_log_likelihood(logits: Tensor, intensities: Tensor) -> Tensor:
    """Log-likelihood of intensities in [0, 1] as independent Bernoulli means, in nats.

    Args:
        logits: logits of the Bernoulli means, [B, T, C, H, W].
        intensities: [B, T, C, H, W] in [0, 1].

    Returns:
        log_likelihood: [B, T], summed over pixels.
    """
    nats = F.binary_cross_entropy_with_logits(logits, intensities, reduction="none")
    return -nats.flatten(2).sum(2)


class BernoulliLikelihood(nn.Module):
    """``bernoulli_log_likelihood``; its nats compare across runs."""

    def forward(self, logits: Tensor, intensities: Tensor) -> Tensor:
        """Return the log-likelihood [B, T] of intensities [B, T, C, H, W], in nats."""
        return bernoulli_log_likelihood(logits, intensities)


class GaussianLikelihood(nn.Module):
    """Density of intensities as independent Gaussians of one learned width."""

    def __init__(self) -> None:
        super().__init__()
        self.log_sigma = nn.Parameter(torch.tensor(log(FIRST_SIGMA)))

    def forward(self, logits: Tensor, intensities: Tensor) -> Tensor:
        """Return the log density [B, T] of intensities [B, T, C, H, W], in nats.

        Means are in [0, 1], too: ``logits`` [B, T, C, H, W] are theirs.
        """
        errors = (intensities - logits.sigmoid()).square().flatten(2).sum(2)
        pixels = intensities[0, 0].numel()
        width = self.log_sigma.exp()
        return -errors / (2 * width.square()) - pixels * (self.log_sigma + LOG_2_PI / 2)


Likelihood = Literal["bernoulli", "gaussian"]


def make_likelihood(kind: Likelihood) -> nn.Module:
    """Build the likelihood of frames of this kind.

    Raises:
        ValueError: there is no such kind.
    """
    require_one_of(get_args(Likelihood), likelihood=kind)
    return GaussianLikelihood() if kind == "gaussian" else BernoulliLikelihood()


class Targets(NamedTuple):
    """Gaussians of a function's values at targets, independent in all dimensions."""

    mean: Tensor  #: [..., M, Dy]
    sigma: Tensor  #: [..., M, Dy], above 0

    def log_density(self, y: Tensor) -> Tensor:
        """Log density [..., M] of actual values [..., M, Dy] in nats, summed over dimensions."""
        # In float32 at least, whatever the decoder computes in: the bound sums these over targets
        # and steps, for which bfloat16 is too coarse.
        mean, sigma = (part.to(torch.promote_types(part.dtype, torch.float32)) for part in self)
        return -(((y - mean) / sigma).square() / 2 + sigma.log() + LOG_2_PI / 2).sum(-1)

    def mixed(self) -> "Targets":
        """Reduce a mixture of K, [K, ...], with equal weights to its mean and sigma, [...]."""
        # Law of total variance: the mean of the variances plus the variance of the means.
        variance = self.sigma.square().mean(0) + self.mean.var(0, correction=0)
        return Targets(self.mean.mean(0), variance.sqrt())
