"""Weighted particles of one sequence, and their operations in sequential Monte Carlo."""

from typing import NamedTuple, Self

import torch
from torch import Tensor

#: Share of the particles that must stay effective when evidence is added.
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
    def uniform(cls, place: Tensor) -> Self:
        """Return particles [N, T + 1, W] with equal weights and no evidence."""
        zero = torch.zeros(len(place), dtype=place.dtype)
        return cls(place, zero.log_softmax(0), zero, zero)

    def tempered(self, increment: float) -> Self:
        """Multiply weights by this step's evidence to the power of `increment`."""
        return self._replace(log_weight=(self.log_weight + increment * self.now).log_softmax(0))

    def next_increment(self, remaining: float) -> float:
        """Return the largest increment, up to `remaining`, that leaves half effective."""

        def fits(increment: float) -> bool:
            samples = (-(2 * self.tempered(increment).log_weight).logsumexp(0)).exp()
            return bool(samples >= LEAST_EFFECTIVE * len(self.now))

        if fits(remaining):
            return remaining
        low, high = 0.0, remaining
        for _ in range(40):
            middle = (low + high) / 2
            low, high = (middle, high) if fits(middle) else (low, middle)
        return low

    def resampled(self, generator: torch.Generator) -> Self:
        """Resample N particles by their weights (systematic resampling)."""
        number = len(self.log_weight)
        start = torch.rand(1, generator=generator, dtype=torch.float64)
        total = self.log_weight.exp().cumsum(0)
        quantiles = (start + torch.arange(number)) / number
        ancestor = torch.searchsorted(total, quantiles).clamp_max(number - 1)
        drawn = type(self).uniform(self.place[ancestor])
        return drawn._replace(before=self.before[ancestor], now=self.now[ancestor])

    def moved(self, accepted: Tensor, place: Tensor, before: Tensor, now: Tensor) -> Self:
        """Move accepted particles, bool [N], to new coordinates with new evidence."""
        return self._replace(
            place=torch.where(accepted[:, None, None], place, self.place),
            before=torch.where(accepted, before, self.before),
            now=torch.where(accepted, now, self.now),
        )

    def spread(self) -> Tensor:
        """Return S [N, D], with S^T S the covariance of the coordinates."""
        active = self.place.flatten(1)
        weight = self.log_weight.exp().unsqueeze(1)
        return weight.sqrt() * (active - (weight * active).sum(0))

    def effective_samples(self) -> float:
        """Return 1 / sum of the squared weights of distinct particles; copies count as one."""
        _, name = self.place[:, 0, 0].unique(return_inverse=True)
        weight = torch.zeros_like(self.log_weight).index_add(0, name, self.log_weight.exp())
        return 1 / weight.square().sum().item()
