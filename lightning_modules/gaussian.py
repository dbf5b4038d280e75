"""Diagonal Gaussians: priors, posteriors, their samples and divergences."""

from typing import NamedTuple

import torch
from torch import Tensor


class DiagonalGaussian(NamedTuple):
    """A Gaussian with independent dimensions; both tensors are [..., Z]."""

    mean: Tensor
    log_sigma: Tensor

    @classmethod
    def from_parameters(cls, parameters: Tensor) -> "DiagonalGaussian":
        """Split [..., 2 Z] into means and log standard deviations."""
        return cls(*parameters.chunk(2, dim=-1))

    def sample(self, noise: Tensor) -> Tensor:
        """Reparameterised sample from standard normal ``noise`` [..., Z]."""
        return self.mean + self.log_sigma.exp() * noise


def kl_divergence(q: DiagonalGaussian, p: DiagonalGaussian) -> Tensor:
    """KL[q || p] in nats, summed over dimensions: [..., Z] -> [...]."""
    log_ratio = q.log_sigma - p.log_sigma
    distance = (q.mean - p.mean) * torch.exp(-p.log_sigma)
    return 0.5 * (torch.exp(2 * log_ratio) + distance.square() - 1 - 2 * log_ratio).sum(-1)
