"""Weighted particles of many sequences at once: what sequential Monte Carlo does with them."""

from typing import NamedTuple, Self

import torch
from torch import Tensor

#: Share of the particles that must stay effective when evidence comes in.
LEAST_EFFECTIVE = 0.5


class Particles(NamedTuple):
    """N weighted kernels of each of B sequences, and the evidence for them."""

    place: Tensor
    """Coordinates (`kernel_prior.py`), float64 [B, N, T + 1, W]."""
    log_weight: Tensor
    """Normalised, float64 [B, N]."""
    before: Tensor
    """Log evidence of the contexts before this step, float64 [B, N]."""
    now: Tensor
    """Log density of this step's context given them, float64 [B, N]."""
    name: Tensor
    """Number that copies of one particle share until they move, int64 [B, N], below 2 N."""

    @classmethod
    def alike(cls, place: Tensor) -> Self:
        """Give particles [B, N, T + 1, W] equal weights, and no evidence."""
        zero = torch.zeros(place.shape[:2], dtype=place.dtype)
        names = torch.arange(place.shape[1]).expand(len(place), -1)
        return cls(place, zero.log_softmax(1), zero, zero, names)

    def of(self, rows: Tensor) -> Self:
        """Take the particles of some sequences, int64 [R]."""
        return type(self)(*(field[rows] for field in self))

    def with_rows(self, rows: Tensor, new: Self) -> Self:
        """Put others in the place of those of some sequences, int64 [R]."""
        return type(self)(
            *(field.index_copy(0, rows, own) for field, own in zip(self, new, strict=True))
        )

    def heated(self, change: Tensor) -> Self:
        """Weight with this step's evidence to the power of `change`, [B]."""
        weighted = self.log_weight + change.unsqueeze(1) * self.now
        return self._replace(log_weight=weighted.log_softmax(1))

    def next_change(self, left: Tensor) -> Tensor:
        """Find how much of this step's evidence can come in, by bisection.

        Args:
            left: most that can, above 0, [B].

        Returns:
            The most, up to `left`, that leaves half of the particles effective, [B].
        """

        def fits(change: Tensor) -> Tensor:
            samples = (-(2 * self.heated(change).log_weight).logsumexp(1)).exp()
            return samples >= LEAST_EFFECTIVE * self.now.shape[1]

        low, high = torch.zeros_like(left), left
        for _ in range(40):
            middle = (low + high) / 2
            good = fits(middle)
            low, high = torch.where(good, middle, low), torch.where(good, high, middle)
        return torch.where(fits(left), left, low)

    def resampled(self, generator: torch.Generator) -> Self:
        """Draw as many by their weights (systematic resampling); copies keep a common name."""
        count, number = self.log_weight.shape
        # Named by the first of its copies, so that there is room for N new names.
        first = (self.name.unsqueeze(1) == self.name.unsqueeze(2)).int().argmax(2)
        start = torch.rand(count, 1, generator=generator, dtype=torch.float64)
        wanted = (start + torch.arange(number)) / number
        total = self.log_weight.exp().cumsum(1)
        ancestor = torch.searchsorted(total, wanted).clamp_max(number - 1)
        row = torch.arange(count).unsqueeze(1)
        kept = self._replace(name=first)
        return type(self)(*(field[row, ancestor] for field in kept))._replace(
            log_weight=torch.zeros_like(total).log_softmax(1)
        )

    def moved(self, accepted: Tensor, place: Tensor, before: Tensor, now: Tensor) -> Self:
        """Move those that are accepted, bool [B, N], which makes them distinct from all others."""
        number = accepted.shape[1]
        return self._replace(
            place=torch.where(accepted[..., None, None], place, self.place),
            before=torch.where(accepted, before, self.before),
            now=torch.where(accepted, now, self.now),
            name=torch.where(accepted, number + torch.arange(number), self.name),
        )

    def spread(self, rows: int) -> Tensor:
        """Find S, with S^T S the covariance of the first rows of the places, [B, N, rows * W]."""
        active = self.place[:, :, :rows].flatten(2)
        weight = self.log_weight.exp().unsqueeze(2)
        return weight.sqrt() * (active - (weight * active).sum(1, keepdim=True))

    def effective_samples(self) -> Tensor:
        """Compute 1 / sum of the squared weights of distinct particles, [B]."""
        weight = self.log_weight.exp()
        same = self.name.unsqueeze(1) == self.name.unsqueeze(2)
        return 1 / (weight.unsqueeze(1) * weight.unsqueeze(2) * same).sum((1, 2))
