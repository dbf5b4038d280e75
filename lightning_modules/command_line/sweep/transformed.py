"""Distributions that Optuna lacks: it draws a number, and a value is made of it."""

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate
from statistics import NormalDist
from typing import Any

from optuna.distributions import FloatDistribution

#: How far a quantile stays from 0 and 1, where a normal distribution has no number.
EDGE = 1e-9
#: Quantiles between which a normal distribution has 95% of its numbers.
TYPICAL = (0.025, 0.975)
Make = Callable[[float], Any]


class Transformed(FloatDistribution):
    """Draws a number from an interval, of which ``make`` makes the value.

    Args:
        low: end of the interval.
        high: the other end.
        log: draw its logarithm uniformly.
        make: of the number, the value.
        typical: numbers whose values any run must be able to take; default: both ends.
    """

    def __init__(
        self, low: float, high: float, log: bool, make: Make, typical: Sequence[float] | None = None
    ) -> None:
        super().__init__(low, high, log=log)
        self.make = make
        self.typical = (low, high) if typical is None else tuple(typical)


def normal(mu: float, sigma: float) -> Transformed:
    """N(mu, sigma^2), by its quantiles."""
    return Transformed(EDGE, 1 - EDGE, False, NormalDist(mu, sigma).inv_cdf, TYPICAL)


def log_normal(mu: float, sigma: float) -> Transformed:
    """exp(X) of a normal X."""
    quantile = NormalDist(mu, sigma).inv_cdf
    return Transformed(EDGE, 1 - EDGE, False, lambda drawn: math.exp(quantile(drawn)), TYPICAL)


def weighted(values: Sequence[Any], probabilities: Sequence[float]) -> Transformed:
    """One of some values, each with its probability."""
    ends = [*accumulate(probabilities)]
    middles = [end - p / 2 for end, p in zip(ends, probabilities, strict=True) if p]
    return Transformed(
        0.0, 1.0, False, lambda drawn: values[bisect_right(ends[:-1], drawn)], middles
    )


def quantised(base: FloatDistribution, q: float) -> Transformed:
    """round(X / q) q of an X that is drawn otherwise; whole numbers where q is one."""
    make: Make = float
    typical: Sequence[float] | None = None
    if isinstance(base, Transformed):
        make, typical = base.make, base.typical

    def rounded(drawn: float) -> float:
        steps = round(make(drawn) / q)
        # 0.3, not 0.30000000000000004.
        return steps * q if isinstance(q, int) else float(f"{steps * q:.12g}")

    return Transformed(base.low, base.high, base.log, rounded, typical)
