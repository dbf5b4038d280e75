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
        logits: [B, T, C, H, W], of the Bernoulli means.
        intensities: [B, T, C, H, W] in [0, 1].

    Returns:
        log_likelihood: [B, T], summed over pixels.
    """
    nats = F.binary_cross_entropy_with_logits(logits, intensities, reduction="none")
    return -nats.flatten(2).sum(2)


class Targets(NamedTuple):
    """Gaussians of the function's values at targets, independent in all dimensions."""

    mean: Tensor  #: [..., M, Dy]
    sigma: Tensor  #: [..., M, Dy], above 0

    def log_density(self, y: Tensor) -> Tensor:
        """Log density [..., M] of actual values [..., M, Dy] in nats, summed over dimensions."""
        # In single precision at least, whatever the decoder computes in.
        mean, sigma = (part.to(torch.promote_types(part.dtype, torch.float32)) for part in self)
        return -(((y - mean) / sigma).square() / 2 + sigma.log() + LOG_2_PI / 2).sum(-1)

    def mixed(self) -> "Targets":
        """Means and standard deviations of a mixture of K with equal weights, [K, ...] to [...]."""
        variance = self.sigma.square().mean(0) + self.mean.var(0, correction=0)
        return Targets(self.mean.mean(0), variance.sqrt())
