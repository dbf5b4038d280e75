"""Intervals over seeds, and tests of whether one model is better than another.

Few seeds make wide intervals: Student's t has 4.303 standard errors at three of them, and a
bootstrap of so few values would cover the mean in 75% of cases instead of 95%. A seed decides
initial weights, the order of training data and noise, so its effect on two models cancels in
their difference: intervals and tests are of the differences of pairs with the same seed. Comparing
several models with one is several tests, so Holm's correction decides: it keeps the chance of any
false alarm among them at the level of a single test. The model that the others are compared with
has the best mean, and it was picked on the same seeds, which nothing here corrects: among eight
models that are equally good, one table in ten still finds a difference, instead of one in twenty
(it would be four in ten by intervals of single differences).
"""

from collections.abc import Mapping, Sequence
from math import isfinite, nan
from typing import NamedTuple

import numpy as np
from scipy.stats import t as student

#: Relative spread below which differences are rounding errors, and no test is possible.
ROUNDING = 1e-9
#: Share of repetitions in which an interval holds the true mean.
CONFIDENCE = 0.95
#: Corrected p-values below it are conclusions.
LEVEL = 0.05
#: Fewer pairs decide nothing, whatever their interval.
FEWEST_PAIRS = 3

BySeed = Mapping[int | None, float]


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
    form = f"{sign}z,.{digits}f"  # z: never -0.00
    middle, low, high = (format(value, form) for value in (mean, mean - margin, mean + margin))
    return f"{middle} [{low}, {high}]" if isfinite(margin) else middle


class PairedDifference(NamedTuple):
    """Difference of a model from another."""

    pairs: int
    mean: float
    margin: float  #: half of the 95% interval; NaN for a single pair
    p: float  #: NaN where there are less than three pairs, or no spread to measure by

    def in_words(self, digits: int) -> str:
        """Write it as "+0.21 [+0.10, +0.32]"."""
        return interval_in_words(self.mean, self.margin, digits, "+")


def shared_seeds(ours: BySeed, others: BySeed) -> list[int]:
    """List the seeds of which both models have a number."""
    both = (s for s in ours if s is not None and isfinite(ours[s]))
    return [seed for seed in both if isfinite(others.get(seed, nan))]


def paired_difference(ours: BySeed, reference: BySeed) -> PairedDifference:
    """Compare by seed; seeds that only one of the two has do not count.

    Args:
        ours: values by seed.
        reference: values by seed of the model to compare with.
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
    """Correct p-values for their number (Holm 1979); NaN is no test and stays NaN."""
    tests = sorted((p, i) for i, p in enumerate(p_values) if isfinite(p))
    corrected, largest = [nan] * len(p_values), 0.0
    for rank, (p, i) in enumerate(tests):
        # Never below a smaller p-value's correction, or the order of models would change.
        largest = max(largest, min(1.0, (len(tests) - rank) * p))
        corrected[i] = largest
    return corrected


def reference_among(values: Sequence[BySeed]) -> int:
    """Choose the model that the others are compared with.

    It is the first one of those that share three seeds with the most others: where old runs of
    other seeds, or a model with a single seed, came before, nothing could be said of the rest.

    Args:
        values: each model's values by seed, the best mean first.

    Returns:
        its place.
    """
    shared = [
        # Less one: a model shares all of its seeds with itself.
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
        each model's difference, None for the reference itself, with its corrected p.
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
