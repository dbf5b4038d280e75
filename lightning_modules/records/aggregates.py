"""Statistics over several benchmarks, for few runs on each (Agarwal et al. 2021).

Scores of a model are one array for each benchmark, with a score for each run. Each benchmark counts
the same, however many runs it has.

Intervals are a percentile bootstrap over benchmarks: what would other benchmarks of this kind have
said? Runs are not drawn again: of three, a bootstrap covers too little (see ``significance``), so
that Agarwal et al.'s intervals, which draw runs within each benchmark, would be too narrow. Nor are
test sequences, of which records keep averages alone. Drawing from few benchmarks has the
same fault, though: of 2, 3, 4, 5, 6 and 10 benchmarks, nominal 95% intervals of an interquartile
mean cover 50, 75, 88, 90, 91 and 92% (simulated, for normal, uniform and U-shaped scores). Fewer
than five therefore have no interval, and those of five to ten are a little too narrow.
"""

from collections.abc import Callable, Sequence
from math import isfinite, nan
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import bootstrap

from lightning_modules.records.significance import CONFIDENCE

FEWEST_BENCHMARKS = 5
#: Of runs, for each benchmark.
Scores = Sequence[NDArray[np.float64]]


class Aggregate(NamedTuple):
    """A number over several benchmarks."""

    value: float
    low: float = nan  #: end of its 95% interval; NaN for too few benchmarks
    high: float = nan

    def in_words(self, digits: int) -> str:
        """Write it as "0.33 [0.29, 0.37]", as far as it is known; else a dash."""
        if not isfinite(self.value):
            return "-"
        value, low, high = (f"{number:z.{digits}f}" for number in self)
        return f"{value} [{low}, {high}]" if isfinite(self.low) else value


class Exceedance(NamedTuple):
    """A performance profile: which share of runs scores more than a threshold."""

    thresholds: NDArray[np.float64]  #: rising, each a score of a run
    shares: NDArray[np.float64]  #: from that threshold to the next one; it is 1 before the first


def interquartile_mean(scores: Scores) -> Aggregate:
    """Average the middle half of all scores; a run may be in it in part."""
    values, owners = _pooled(scores)
    runs = np.bincount(owners)

    def middle(places: Any, axis: int = -1) -> NDArray[np.float64]:
        drawn = (np.asarray(places)[..., np.newaxis] == np.arange(len(scores))).sum(axis - 1)
        return _middle_half(values, (drawn / runs)[..., owners])

    return _with_interval(middle, len(scores))


def mean(scores: Scores) -> Aggregate:
    """Average over benchmarks, with all runs: failures count in full."""
    means = np.array([each.mean() for each in scores])
    return _with_interval(lambda places, axis=-1: means[places].mean(axis), len(means))


def probability_of_improvement(ours: Scores, others: Scores) -> Aggregate:
    """Estimate how often a run of ours scores more than one of the others, on some benchmark.

    It is Mann and Whitney's statistic on each benchmark, averaged: ties count as half.

    Args:
        ours: of one model.
        others: of the other model, on the same benchmarks.
    """
    wins = [np.sign(np.subtract.outer(a, b)).mean() for a, b in zip(ours, others, strict=True)]
    shares = (np.array(wins) + 1) / 2
    return _with_interval(lambda places, axis=-1: shares[places].mean(axis), len(shares))


def exceedance(scores: Scores) -> Exceedance:
    """Describe the distribution of scores, without choosing an average."""
    values, owners = _pooled(scores)
    weights = 1 / (len(scores) * np.bincount(owners)[owners])
    return Exceedance(values, np.clip(1 - weights.cumsum(), 0, 1))


def _pooled(scores: Scores) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return all scores in rising order, and the number of each one's benchmark."""
    values = np.concatenate(scores)
    owners = np.repeat(np.arange(len(scores)), [len(each) for each in scores])
    order = values.argsort(kind="stable")
    return values[order], owners[order]


def _middle_half(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average what lies between the quartiles.

    Args:
        values: [N], rising.
        weights: [..., N], of the values in each resample.

    Returns:
        [...], of the resamples.
    """
    shares = weights / weights.sum(-1, keepdims=True)
    ends = shares.cumsum(-1)
    inside = np.minimum(ends, 0.75) - np.maximum(ends - shares, 0.25)
    kept = np.clip(inside, 0, None)
    return (kept * values).sum(-1) / kept.sum(-1)


def _with_interval(statistic: Callable[..., Any], benchmarks: int) -> Aggregate:
    """Compute a statistic, and its interval where there are enough benchmarks.

    Args:
        statistic: called with numbers of benchmarks, [..., B] along ``axis``.
        benchmarks: how many there are.
    """
    every = np.arange(benchmarks)
    value = float(statistic(every))
    if benchmarks < FEWEST_BENCHMARKS:
        return Aggregate(value)
    found = bootstrap(
        (every,),
        statistic,
        vectorized=True,
        confidence_level=CONFIDENCE,
        method="percentile",
        # The same resamples every time, and for every model.
        random_state=np.random.default_rng(0),
    ).confidence_interval
    return Aggregate(value, float(found.low), float(found.high))
