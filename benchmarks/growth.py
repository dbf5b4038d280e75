"""Growth of a step's time with a size."""

from collections.abc import Sequence
from math import log
from statistics import linear_regression
from typing import NamedTuple

#: Number of largest sizes that count; at small sizes fixed costs hide the growth.
LAST = 3


class Growth(NamedTuple):
    """Times and peaks of one contestant, by ascending size."""

    sizes: list[int]
    median_ms: list[float]
    least_ms: list[float]
    peak_mebibytes: list[float]

    @classmethod
    def none(cls) -> "Growth":
        """Return a growth without measurements."""
        return cls([], [], [], [])

    @property
    def exponent(self) -> float | None:
        """Slope of log time over log size at the large end; 1 is linear."""
        return slope(self.sizes[-LAST:], self.median_ms[-LAST:])

    def add(self, size: int, median: float, least: float, peak: float) -> None:
        """Add a point."""
        self.sizes.append(size)
        self.median_ms.append(median)
        self.least_ms.append(least)
        self.peak_mebibytes.append(peak)


def slope(sizes: Sequence[float], values: Sequence[float]) -> float | None:
    """Return the least-squares slope in log-log; None for a single point."""
    if len(sizes) < 2:
        return None
    return linear_regression([log(x) for x in sizes], [log(y) for y in values]).slope
