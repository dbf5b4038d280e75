"""Real points of padded sets, so that padding costs no products.

Maps of single points are applied to ``rows``; whatever needs whole sets sees them ``padded``.
"""

from collections.abc import Callable

from torch import Tensor


def packs(mask: Tensor) -> bool:
    """Tell whether padding is left out: on a CPU, where counting the points stalls nothing."""
    return mask.is_cpu


class RealPoints:
    """Real points of sets that are padded to one size N.

    On a GPU all points are rows: waiting for the number of real ones would cost more than padding.

    Args:
        mask: [..., N] bool, False for padding.
    """

    def __init__(self, mask: Tensor) -> None:
        self.mask = mask
        self.computes_padding = not packs(mask)
        alone = not (self.computes_padding or mask.all())
        self._places = mask.flatten().nonzero().squeeze(1) if alone else None

    def rows(self, points: Tensor) -> Tensor:
        """Take the R real points of [..., N, W], as [R, W]; on a GPU, leave all as they are."""
        if self._places is None:
            return points
        return points.flatten(0, -2).index_select(0, self._places)

    def padded(self, rows: Tensor) -> Tensor:
        """Put rows back in their places, [..., N, W], and 0 in padding."""
        if self._places is None:
            hole = ~self.mask.unsqueeze(-1)
            return rows.masked_fill(hole, 0) if self.computes_padding else rows
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
    """Apply a map of single points to points [..., N, W], and to real ones alone where that pays.

    The outcome for padding is finite.
    """
    if real is None or real.computes_padding:
        return function(points)
    return real.padded(function(real.rows(points)))
