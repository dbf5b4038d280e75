"""Real points of padded sets, to save computation on padding.

Pointwise maps are applied to ``rows``; operations on whole sets use them ``padded``.
"""

from collections.abc import Callable

from torch import Tensor


def packs(mask: Tensor) -> bool:
    """Tell whether padding is skipped: only on a CPU, where counting points is free."""
    return mask.is_cpu


class RealPoints:
    """Real points of sets padded to size N.

    On a GPU all points are rows: synchronising to count real ones would cost more than padding.

    Args:
        mask: [..., N] bool, False for padding.
    """

    def __init__(self, mask: Tensor) -> None:
        self.mask = mask
        self.computes_padding = not packs(mask)
        skips = not (self.computes_padding or mask.all())
        self._places = mask.flatten().nonzero().squeeze(1) if skips else None

    def rows(self, points: Tensor) -> Tensor:
        """Select the R real points of [..., N, W], as [R, W]; on a GPU, return all unchanged."""
        if self._places is None:
            return points
        return points.flatten(0, -2).index_select(0, self._places)

    def padded(self, rows: Tensor) -> Tensor:
        """Scatter rows to [..., N, W], with 0 in padding."""
        if self._places is None:
            hole = ~self.mask.unsqueeze(-1)
            return rows.masked_fill(hole, 0) if self.computes_padding else rows
        points = rows.new_zeros(self.mask.numel(), rows.shape[-1])
        return points.index_copy(0, self._places, rows).unflatten(0, self.mask.shape)

    def sums(self, rows: Tensor) -> Tensor:
        """Sum the rows of each set, [..., W]."""
        if self._places is None:
            return self.padded(rows).sum(-2)
        *sets, size = self.mask.shape
        sums = rows.new_zeros(self.mask.numel() // size, rows.shape[-1])
        return sums.index_add(0, self._places // size, rows).unflatten(0, sets)

    def numbers(self) -> Tensor:
        """Count the real points of each set, [..., 1] int64."""
        return self.mask.sum(-1, keepdim=True)


def of_points(
    function: Callable[[Tensor], Tensor], points: Tensor, real: RealPoints | None
) -> Tensor:
    """Apply a pointwise map to points [..., N, W], or to real points only where that is faster.

    The result for padding is finite.
    """
    if real is None or real.computes_padding:
        return function(points)
    return real.padded(function(real.rows(points)))
