"""Padded sets and their real points alone, so that padding costs no products.

A map of single points is applied to ``rows``; what looks at sets as wholes sees them ``padded``.
"""

from collections.abc import Callable

from torch import Tensor


class RealPoints:
    """The real points of sets that are padded to one size N.

    On a GPU all points are rows: waiting for the number of real ones would cost more than padding.

    Args:
        mask: [..., N] bool, False for padding.
    """

    def __init__(self, mask: Tensor) -> None:
        self.mask = mask
        alone = mask.is_cpu and not mask.all()
        self._places = mask.flatten().nonzero().squeeze(1) if alone else None

    def rows(self, points: Tensor) -> Tensor:
        """Take the R real ones of points [..., N, W], [R, W]; on a GPU leave all as they are."""
        if self._places is None:
            return points
        return points.flatten(0, -2).index_select(0, self._places)

    def padded(self, rows: Tensor) -> Tensor:
        """Put rows back in their places, [..., N, W], and 0 in padding."""
        if self._places is None:
            return rows if self.mask.is_cpu else rows.masked_fill(~self.mask.unsqueeze(-1), 0)
        points = rows.new_zeros(self.mask.numel(), rows.shape[-1])
        return points.index_copy(0, self._places, rows).unflatten(0, self.mask.shape)

    def sums(self, rows: Tensor) -> Tensor:
        """Add up the rows of each set, [..., W]."""
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
    """Apply a map of single points to points [..., N, W], to real ones alone if these are known."""
    return function(points) if real is None else real.padded(function(real.rows(points)))
