"""Distributions that Optuna lacks: it samples a number, which is transformed into a value."""

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate
from statistics import NormalDist
from typing import Any

from optuna.distributions import FloatDistribution

#: Distance of quantiles from 0 and 1, where a normal distribution is infinite.
EDGE = 1e-9
#: Quantiles that enclose the central 95% of a normal distribution.
TYPICAL = (0.025, 0.975)
Make = Callable[[float], Any]


class Transformed(FloatDistribution):
    """Samples a number from an interval, which ``make`` transforms into the value.

    Args:
        low: lower end of the interval.
        high: upper end of the interval.
        log: whether to sample the logarithm uniformly.
        make: transforms the number into the value.
        typical: numbers whose values must be valid settings; default: both ends.
    """

    def __init__(
        self, low: float, high: float, log: bool, make: Make, typical: Sequence[float] | None = None
    ) -> None:
        super().__init__(low, high, log=log)
        self.make = make
        self.typical = (low, high) if typical is None else tuple(typical)


def normal(mu: float, sigma: float) -> Transformed:
    """Return N(mu, sigma^2), sampled by its quantiles."""
    return Transformed(EDGE, 1 - EDGE, False, NormalDist(mu, sigma).inv_cdf, TYPICAL)


def log_normal(mu: float, sigma: float) -> Transformed:
    """Return the distribution of exp(X) for X ~ N(mu, sigma^2)."""
    quantile = NormalDist(mu, sigma).inv_cdf
    return Transformed(EDGE, 1 - EDGE, False, lambda number: math.exp(quantile(number)), TYPICAL)


def weighted(values: Sequence[Any], probabilities: Sequence[float]) -> Transformed:
    """Return a choice of values with these probabilities."""
    ends = [*accumulate(probabilities)]
    middles = [end - p / 2 for end, p in zip(ends, probabilities, strict=True) if p]
    return Transformed(
        0.0, 1.0, False, lambda number: values[bisect_right(ends[:-1], number)], middles
    )


def quantised(base: FloatDistribution, q: float) -> Transformed:
    """Return the distribution of round(X / q) q for X ~ base; integers if q is one."""
    make: Make = float
    typical: Sequence[float] | None = None
    if isinstance(base, Transformed):
        make, typical = base.make, base.typical

    def rounded(number: float) -> float:
        steps = round(make(number) / q)
        # 0.3, not 0.30000000000000004.
        return steps * q if isinstance(q, int) else float(f"{steps * q:.12g}")

    return Transformed(base.low, base.high, base.log, rounded, typical)
