"""Diagonal Gaussians: priors, posteriors, their samples and divergences."""

from typing import NamedTuple

import torch
from torch import Tensor


def kl_divergence(q: tuple[Tensor, ...], p: tuple[Tensor, ...]) -> Tensor:
    """Return KL[q || p] in nats, summed over dimensions, in float32 at least.

    Its terms nearly cancel: in bfloat16 it would often be negative.

    Args:
        q: mean and log standard deviation, [..., Z].
        p: mean and log standard deviation, [..., Z].

    Returns:
        kl: [...].
    """
    (q_mean, q_log_sigma), (p_mean, p_log_sigma) = (
        [part.to(torch.promote_types(part.dtype, torch.float32)) for part in parts]
        for parts in (q, p)
    )
    log_ratio = q_log_sigma - p_log_sigma
    distance = (q_mean - p_mean) * torch.exp(-p_log_sigma)
    return 0.5 * (torch.exp(2 * log_ratio) + distance.square() - 1 - 2 * log_ratio).sum(-1)


class DiagonalGaussian(NamedTuple):
    """A Gaussian with independent dimensions; both tensors are [..., Z]."""

    mean: Tensor
    log_sigma: Tensor

    @classmethod
    def from_parameters(cls, parameters: Tensor) -> "DiagonalGaussian":
        """Split [..., 2 Z] into means and log standard deviations."""
        return cls(*parameters.chunk(2, dim=-1))

    def sample(self, noise: Tensor) -> Tensor:
        """Return a reparameterised sample from standard normal ``noise`` [..., Z]."""
        return self.mean + self.log_sigma.exp() * noise
