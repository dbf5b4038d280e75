"""Observation models: how likely frames or a function's values are, in nats."""

from math import log, pi
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

LOG_2_PI = log(2 * pi)


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
