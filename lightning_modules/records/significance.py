"""Intervals over seeds, and tests of whether one model is better than another.

Few seeds give wide intervals: with three, Student's interval spans 4.303 standard errors to each
side, and a bootstrap would cover the mean in 75% of cases instead of 95%. A seed determines the
initial weights, the order of the training data and the noise, so part of its effect cancels in the
difference of two models: intervals and tests are paired by seed. Comparing several models with one
takes several tests, so Holm's correction is applied, which keeps the probability of any false
positive at the level of a single test. The reference is the model with the best mean, selected on
the same seeds; this is not corrected for. Among eight equally good models, one table in ten
therefore shows a difference, instead of one in twenty (uncorrected intervals: four in ten).
"""

from collections.abc import Mapping, Sequence
from math import inf, isfinite, nan
from typing import NamedTuple

import numpy as np
from scipy.stats import t as student

#: Relative spread below which differences are rounding errors and cannot be tested.
ROUNDING = 1e-9
#: Coverage of intervals.
CONFIDENCE = 0.95
#: Significance level of corrected p-values.
LEVEL = 0.05
#: Fewer pairs are inconclusive, whatever their interval.
FEWEST_PAIRS = 3

BySeed = Mapping[int | None, float]


def interval_factor(count: int) -> float:
    """Return an interval's half-width in standard errors: 4.303 for three values.

    Args:
        count: number of values in the mean; the result is NaN for a single one.
    """
    return float(student.ppf((1 + CONFIDENCE) / 2, count - 1)) if count > 1 else nan


def interval_in_words(
    mean: float,
    margin: float,
    digits: int,
    sign: str = "",
    limits: tuple[float, float] = (-inf, inf),
) -> str:
    """Format as "0.33 [0.29, 0.37]"; without an interval if there is none; "-" if NaN.

    Args:
        mean: centre of the interval.
        margin: half-width of the interval.
        digits: decimal places.
        sign: "+" to always write the sign, as for differences.
        limits: least and largest possible value, at which the interval ends.
    """
    if not isfinite(mean):
        return "-"
    form = f"{sign}z,.{digits}f"  # z: never -0.00
    ends = max(mean - margin, min(mean, limits[0])), min(mean + margin, max(mean, limits[1]))
    middle, low, high = (format(value, form) for value in (mean, *ends))
    return f"{middle} [{low}, {high}]" if isfinite(margin) else middle


class PairedDifference(NamedTuple):
    """Difference between two models, over pairs with the same seed."""

    pairs: int
    mean: float
    margin: float  #: half-width of the 95% interval; NaN for a single pair
    p: float  #: NaN with fewer than three pairs, or without spread

    def in_words(self, digits: int) -> str:
        """Format as "+0.21 [+0.10, +0.32]"."""
        return interval_in_words(self.mean, self.margin, digits, "+")


def shared_seeds(ours: BySeed, theirs: BySeed) -> list[int]:
    """List the seeds for which both models have a finite value."""
    seeds = (s for s in ours if s is not None and isfinite(ours[s]))
    return [seed for seed in seeds if isfinite(theirs.get(seed, nan))]


def paired_difference(ours: BySeed, reference: BySeed) -> PairedDifference:
    """Compare a model with a reference over shared seeds, by Student's paired test.

    Args:
        ours: values of the model by seed.
        reference: values of the reference by seed.
    """
    seeds = shared_seeds(ours, reference)
    differences = np.array([ours[seed] - reference[seed] for seed in seeds])
    pairs = len(seeds)
    mean = float(differences.mean()) if pairs else nan
    if pairs < 2 or np.ptp(differences) <= ROUNDING * max(abs(ours[seed]) for seed in seeds):
        return PairedDifference(pairs, mean, nan, nan)
    error = float(differences.std(ddof=1)) / pairs**0.5
    p = float(2 * student.sf(abs(mean) / error, pairs - 1)) if pairs >= FEWEST_PAIRS else nan
    return PairedDifference(pairs, mean, interval_factor(pairs) * error, p)


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values for multiple tests (Holm 1979); NaN is not a test and stays NaN."""
    tests = sorted((p, i) for i, p in enumerate(p_values) if isfinite(p))
    corrected, largest = [nan] * len(p_values), 0.0
    for rank, (p, i) in enumerate(tests):
        # Corrected p-values keep the order of the uncorrected ones.
        largest = max(largest, min(1.0, (len(tests) - rank) * p))
        corrected[i] = largest
    return corrected


def reference_among(values: Sequence[BySeed]) -> int:
    """Choose the reference that the other models are compared with.

    It is the best of those that share three seeds with the most other models. The best of all may
    have other seeds or only one, and then no comparison with it would be conclusive.

    Args:
        values: each model's values by seed, the best mean first.

    Returns:
        The index of the reference.
    """
    shared = [
        # A model shares all seeds with itself, which does not count.
        sum(len(shared_seeds(own, other)) >= FEWEST_PAIRS for other in values)
        - (len(shared_seeds(own, own)) >= FEWEST_PAIRS)
        for own in values
    ]
    return shared.index(max(shared))


def compared(values: Sequence[BySeed]) -> list[tuple[PairedDifference | None, float]]:
    """Compare each model with the reference.

    Args:
        values: each model's values by seed, the best mean first.

    Returns:
        Each model's difference, None for the reference itself, and its corrected p.
    """
    if not values:
        return []
    place = reference_among(values)
    differences = [
        None if i == place else paired_difference(own, values[place])
        for i, own in enumerate(values)
    ]
    corrected = holm([nan if each is None else each.p for each in differences])
    return list(zip(differences, corrected, strict=True))
