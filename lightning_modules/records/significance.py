"""Tests of whether one model is better than another, from runs of both with the same seeds.

A seed decides initial weights, the order of training data and noise, so its effect on both models
cancels in their difference: Student's t-test on the differences of pairs, two-sided. Comparing
several models with the best one is several tests: Holm's correction keeps the chance of any false
alarm among them at the level of a single test.
"""

from collections.abc import Mapping, Sequence
from math import isfinite, nan
from typing import NamedTuple

import numpy as np
from scipy.stats import ttest_1samp

#: Relative spread below which differences are rounding errors, and no test is possible.
ROUNDING = 1e-9


class PairedDifference(NamedTuple):
    """Difference of a model from the best one."""

    pairs: int
    mean: float
    error: float  #: standard error of the mean; NaN for a single pair
    p: float  #: NaN where there are less than two pairs, or no spread to measure by


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
    return PairedDifference(pairs, mean, error, float(p))


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values for their number (Holm 1979); NaN is no test and stays NaN."""
    tests = sorted((p, i) for i, p in enumerate(p_values) if isfinite(p))
    corrected, largest = [nan] * len(p_values), 0.0
    for rank, (p, i) in enumerate(tests):
        # Never below a smaller p-value's correction, or the order of models would change.
        largest = max(largest, min(1.0, (len(tests) - rank) * p))
        corrected[i] = largest
    return corrected
