"""Diagonal Gaussians: priors, posteriors, their samples and divergences."""

from typing import NamedTuple

from torch import Tensor

from memory_cores.gaussian import kl_divergence

__all__ = ["DiagonalGaussian", "kl_divergence"]


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
