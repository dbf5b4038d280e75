"""Intervals over seeds, and tests of whether one model is better than another.

Few seeds make wide intervals: Student's t has 4.303 standard errors at three of them, and a
bootstrap of so few values would cover the mean in 75% of cases instead of 95%. A seed decides
initial weights, the order of training data and noise, so its effect on two models cancels in
their difference: intervals and tests are of the differences of pairs with the same seed. Comparing
several models with the best one is several tests: Holm's correction keeps the chance of any false
alarm among them at the level of a single test.
"""

from collections.abc import Mapping, Sequence
from math import isfinite, nan
from typing import NamedTuple

import numpy as np
from scipy.stats import t as student
from scipy.stats import ttest_1samp

#: Relative spread below which differences are rounding errors, and no test is possible.
ROUNDING = 1e-9
#: Share of repetitions in which an interval holds the true mean.
CONFIDENCE = 0.95
#: Fewer pairs decide nothing, whatever their interval.
FEWEST_PAIRS = 3


def interval_factor(count: int) -> float:
    """Return how many standard errors an interval has to both sides: 4.303 for three values.

    Args:
        count: how many values the mean is of; NaN for a single one.
    """
    return float(student.ppf((1 + CONFIDENCE) / 2, count - 1)) if count > 1 else nan


def interval_in_words(mean: float, margin: float, digits: int, sign: str = "") -> str:
    """Write it as "0.33 [0.29, 0.37]", as far as mean and margin are known; else a dash.

    Args:
        mean: in the middle of the interval.
        margin: from there to both ends.
        digits: decimal places.
        sign: "+" for differences, whose signs are then always written.
    """
    if not isfinite(mean):
        return "-"
    form = f"{sign},.{digits}f"
    middle, low, high = (format(value, form) for value in (mean, mean - margin, mean + margin))
    return f"{middle} [{low}, {high}]" if isfinite(margin) else middle


class PairedDifference(NamedTuple):
    """Difference of a model from the best one."""

    pairs: int
    mean: float
    margin: float  #: half of the 95% interval; NaN for a single pair
    p: float  #: NaN where there are less than two pairs, or no spread to measure by

    @property
    def conclusive(self) -> bool:
        """Whether there are three pairs or more, and their interval leaves 0 out."""
        return self.pairs >= FEWEST_PAIRS and abs(self.mean) > self.margin

    def in_words(self, digits: int) -> str:
        """Write it as "+0.21 [+0.10, +0.32]"."""
        return interval_in_words(self.mean, self.margin, digits, "+")


def paired_difference(
    ours: Mapping[int | None, float], best: Mapping[int | None, float]
) -> PairedDifference:
    """Compare by seed; seeds that only one of the two has do not count.

    Args:
        ours: values by seed.
        best: values by seed of the best model.
    """
    seeds = [s for s in ours if s is not None and isfinite(ours[s]) and isfinite(best.get(s, nan))]
    differences = np.array([ours[seed] - best[seed] for seed in seeds])
    pairs = len(seeds)
    mean = float(differences.mean()) if pairs else nan
    if pairs < 2 or np.ptp(differences) <= ROUNDING * max(abs(ours[seed]) for seed in seeds):
        return PairedDifference(pairs, mean, nan, nan)
    error = float(differences.std(ddof=1)) / pairs**0.5
    p = ttest_1samp(differences, 0).pvalue
    return PairedDifference(pairs, mean, interval_factor(pairs) * error, float(p))


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values for their number (Holm 1979); NaN is no test and stays NaN."""
    tests = sorted((p, i) for i, p in enumerate(p_values) if isfinite(p))
    corrected, largest = [nan] * len(p_values), 0.0
    for rank, (p, i) in enumerate(tests):
        # Never below a smaller p-value's correction, or the order of models would change.
        largest = max(largest, min(1.0, (len(tests) - rank) * p))
        corrected[i] = largest
    return corrected
