"""Sums over sets, from which the encoding of a whole set is pooled."""

from typing import Literal, NamedTuple

from torch import Tensor

from memory_cores.parts.real_points import RealPoints

Pooling = Literal["mean", "sum"]


class Pool(NamedTuple):
    """Sums of sets of encodings, one set for each step of B sequences."""

    total: Tensor  #: [B, T, h]
    number: Tensor  #: [B, T, 1], members of each set

    @classmethod
    def of(cls, encodings: Tensor, real: RealPoints) -> "Pool":
        """Add up encodings, rows of width h of the real points of sets [B, T, N]."""
        return cls(real.sums(encodings), real.numbers().to(encodings.dtype))

    def repeated(self, samples: int) -> "Pool":
        """Repeat the sets for each of K samples; the first dimension is then K * B."""
        return Pool(*(part.repeat(samples, 1, 1) for part in self))

    def joined(self, other: "Pool") -> "Pool":
        """Return the union of each set with the other's of the same step."""
        return Pool(self.total + other.total, self.number + other.number)

    def so_far(self) -> "Pool":
        """Return, for each step, the union of the sets of all steps up to it."""
        return Pool(self.total.cumsum(1), self.number.cumsum(1))

    def pooled(self, pooling: Pooling) -> Tensor:
        """Return the sets' means or sums [B, T, h]; exactly 0 where a set is empty."""
        return self.total / self.number.clamp(min=1) if pooling == "mean" else self.total
