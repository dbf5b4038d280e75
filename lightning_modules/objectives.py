"""The variational bound and its per-step terms."""

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor


class Bound(NamedTuple):
    """The terms of the per-step bound F_t (Gemici et al. 2017, eq. 6), in nats."""

    reconstruction: Tensor  #: [B, T], log p(x_t | z_<=t, x_<t)
    kl: Tensor  #: [B, T], KL[q(z_t) || p(z_t)]

    @property
    def per_step(self) -> Tensor:
        """F_t, [B, T]."""
        return self.reconstruction - self.kl

    @property
    def total(self) -> Tensor:
        """F of each sequence (eq. 5), [B]."""
        return self.per_step.sum(1)


def negative_elbo(bound: Bound) -> Tensor:
    """Training loss: the negative bound per sequence, in nats, averaged over the batch."""
    return -bound.total.mean()


def negative_weighted_bound(bound: Bound, targets: Tensor) -> Tensor:
    """Training loss of the authors' code (Yoon et al. 2020), which is no bound.

    Reconstructions are divided by the number of a step's targets [B, T], KLs are not, and steps are
    averaged.
    """
    return (bound.kl - bound.reconstruction / targets).mean()


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
