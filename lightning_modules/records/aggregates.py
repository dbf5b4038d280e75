"""Aggregate scores over several benchmarks with few runs each (Agarwal et al. 2021).

A model's scores are one array per benchmark, with one score per run. All benchmarks have the same
weight, however many runs they have.

Intervals are a percentile bootstrap over benchmarks: they show how the value would vary on other
benchmarks of this kind. Runs are not resampled: with three runs a bootstrap covers too little (see
``significance``), so Agarwal et al.'s intervals, which resample runs within each benchmark, would
be too narrow. Test sequences are not resampled either, since records keep only their averages.
Resampling few benchmarks also covers too little: with 2, 3, 4, 5, 6 and 10 benchmarks, nominal 95%
intervals of an interquartile mean cover 50, 75, 88, 90, 91 and 92% (simulated for normal, uniform
and U-shaped scores). Fewer than five benchmarks therefore get no interval, and intervals over five
to ten are slightly too narrow.
"""

from collections.abc import Callable, Sequence
from math import isfinite, nan
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import bootstrap

from lightning_modules.records.significance import CONFIDENCE

FEWEST_BENCHMARKS = 5
#: Scores of one model's runs, an array for each benchmark.
Scores = Sequence[NDArray[np.float64]]


class Aggregate(NamedTuple):
    """A number over several benchmarks."""

    value: float
    low: float = nan  #: ends of the 95% interval; NaN with too few benchmarks
    high: float = nan

    def in_words(self, digits: int) -> str:
        """Format as "0.33 [0.29, 0.37]"; without an interval if there is none; "-" if NaN."""
        if not isfinite(self.value):
            return "-"
        value, low, high = (f"{number:z.{digits}f}" for number in self)
        return f"{value} [{low}, {high}]" if isfinite(self.low) else value


class Exceedance(NamedTuple):
    """A performance profile: the share of runs that score above each threshold."""

    thresholds: NDArray[np.float64]  #: ascending; the runs' own scores
    shares: NDArray[np.float64]  #: from each threshold to the next; 1 before the first


def interquartile_mean(scores: Scores) -> Aggregate:
    """Return the mean of the middle half of all scores; runs at its ends count in part."""
    values, benchmarks = _pooled(scores)
    runs = np.bincount(benchmarks)

    def middle(places: Any, axis: int = -1) -> NDArray[np.float64]:
        counts = (np.asarray(places)[..., np.newaxis] == np.arange(len(scores))).sum(axis - 1)
        return _middle_half(values, (counts / runs)[..., benchmarks])

    return _with_interval(middle, len(scores))


def mean(scores: Scores) -> Aggregate:
    """Return the mean over benchmarks of the mean score: failures count in full."""
    means = np.array([each.mean() for each in scores])
    return _with_interval(lambda places, axis=-1: means[places].mean(axis), len(means))


def probability_of_improvement(ours: Scores, theirs: Scores) -> Aggregate:
    """Estimate the probability that a run of one model outscores a run of another.

    This is the Mann-Whitney statistic of each benchmark, averaged; ties count as half.

    Args:
        ours: scores of the first model.
        theirs: scores of the second model, on the same benchmarks.
    """
    wins = [np.sign(np.subtract.outer(a, b)).mean() for a, b in zip(ours, theirs, strict=True)]
    shares = (np.array(wins) + 1) / 2
    return _with_interval(lambda places, axis=-1: shares[places].mean(axis), len(shares))


def exceedance(scores: Scores) -> Exceedance:
    """Return the share of runs above each score, with all benchmarks weighted equally."""
    values, benchmarks = _pooled(scores)
    weights = 1 / (len(scores) * np.bincount(benchmarks)[benchmarks])
    return Exceedance(values, np.clip(1 - weights.cumsum(), 0, 1))


def _pooled(scores: Scores) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return all scores in ascending order, and the index of each one's benchmark."""
    values = np.concatenate(scores)
    benchmarks = np.repeat(np.arange(len(scores)), [len(each) for each in scores])
    order = values.argsort(kind="stable")
    return values[order], benchmarks[order]


def _middle_half(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of the values between the quartiles.

    Args:
        values: [N], ascending.
        weights: [..., N], of the values in each resample.

    Returns:
        [...], one mean per resample.
    """
    shares = weights / weights.sum(-1, keepdims=True)
    ends = shares.cumsum(-1)
    inside = np.minimum(ends, 0.75) - np.maximum(ends - shares, 0.25)
    overlap = np.clip(inside, 0, None)
    return (overlap * values).sum(-1) / overlap.sum(-1)


def _with_interval(statistic: Callable[..., Any], benchmarks: int) -> Aggregate:
    """Compute a statistic, with its interval if there are enough benchmarks.

    Args:
        statistic: called with indices of benchmarks, [..., B] along ``axis``.
        benchmarks: their number.
    """
    every = np.arange(benchmarks)
    value = float(statistic(every))
    if benchmarks < FEWEST_BENCHMARKS:
        return Aggregate(value)
    interval = bootstrap(
        (every,),
        statistic,
        vectorized=True,
        confidence_level=CONFIDENCE,
        method="percentile",
        # The same resamples in every call, and for every model.
        random_state=np.random.default_rng(0),
    ).confidence_interval
    return Aggregate(value, float(interval.low), float(interval.high))
