"""The variational bound and its per-step terms."""

from typing import NamedTuple

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
    """Training loss of the authors' code (Yoon et al. 2020), which is not a bound.

    Reconstructions are divided by the number of a step's targets [B, T], KLs are not, and steps are
    averaged. With tens of targets the KL therefore weighs tens of times more than in the bound.
    """
    return (bound.kl - bound.reconstruction / targets).mean()
