"""Weighted particles of one sequence: what sequential Monte Carlo does with them."""

from typing import NamedTuple, Self

import torch
from torch import Tensor

#: Share of the particles that must stay effective when evidence comes in.
LEAST_EFFECTIVE = 0.5


class Particles(NamedTuple):
    """N weighted paths of kernels, and the evidence for them."""

    place: Tensor
    """Coordinates (`kernel_prior.py`), float64 [N, T + 1, W]."""
    log_weight: Tensor
    """Normalised, float64 [N]."""
    before: Tensor
    """Log evidence of the contexts before this step, float64 [N]."""
    now: Tensor
    """Log density of this step's context given them, float64 [N]."""

    @classmethod
    def alike(cls, place: Tensor) -> Self:
        """Give particles [N, T + 1, W] equal weights, and no evidence."""
        zero = torch.zeros(len(place), dtype=place.dtype)
        return cls(place, zero.log_softmax(0), zero, zero)

    def heated(self, change: float) -> Self:
        """Weight with this step's evidence to the power of `change`."""
        return self._replace(log_weight=(self.log_weight + change * self.now).log_softmax(0))

    def next_change(self, left: float) -> float:
        """Find the most of this step's evidence, up to `left`, that leaves half effective."""

        def fits(change: float) -> bool:
            samples = (-(2 * self.heated(change).log_weight).logsumexp(0)).exp()
            return bool(samples >= LEAST_EFFECTIVE * len(self.now))

        if fits(left):
            return left
        low, high = 0.0, left
        for _ in range(40):
            middle = (low + high) / 2
            low, high = (middle, high) if fits(middle) else (low, middle)
        return low

    def resampled(self, generator: torch.Generator) -> Self:
        """Draw as many by their weights (systematic resampling)."""
        number = len(self.log_weight)
        start = torch.rand(1, generator=generator, dtype=torch.float64)
        total = self.log_weight.exp().cumsum(0)
        wanted = (start + torch.arange(number)) / number
        ancestor = torch.searchsorted(total, wanted).clamp_max(number - 1)
        drawn = type(self).alike(self.place[ancestor])
        return drawn._replace(before=self.before[ancestor], now=self.now[ancestor])

    def moved(self, accepted: Tensor, place: Tensor, before: Tensor, now: Tensor) -> Self:
        """Move those that are accepted, bool [N], to other places with other evidence."""
        return self._replace(
            place=torch.where(accepted[:, None, None], place, self.place),
            before=torch.where(accepted, before, self.before),
            now=torch.where(accepted, now, self.now),
        )

    def spread(self) -> Tensor:
        """Find S, with S^T S the covariance of the places, [N, D]."""
        active = self.place.flatten(1)
        weight = self.log_weight.exp().unsqueeze(1)
        return weight.sqrt() * (active - (weight * active).sum(0))

    def effective_samples(self) -> float:
        """Compute 1 / sum of the squared weights of distinct particles; copies count as one."""
        _, name = self.place[:, 0, 0].unique(return_inverse=True)
        weight = torch.zeros_like(self.log_weight).index_add(0, name, self.log_weight.exp())
        return 1 / weight.square().sum().item()
