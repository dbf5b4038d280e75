"""Paired tests and their correction, against numbers worked out otherwise."""

from math import isnan, sqrt

import numpy as np
import pytest
from scipy.special import stdtr

from lightning_modules.records.significance import (
    PairedDifference,
    holm,
    interval_factor,
    interval_in_words,
    paired_difference,
)


def test_pairs_are_of_the_same_seed():
    ours, best = {0: 3.0, 1: 5.0, 2: 4.0, 7: 100.0}, {2: 2.0, 1: 4.0, 0: 1.5, 9: -50.0}
    found = paired_difference(ours, best)
    differences = np.array([1.5, 1.0, 2.0])
    error = differences.std(ddof=1) / sqrt(3)
    assert found.pairs == 3
    assert found.mean == pytest.approx(1.5)
    assert found.margin == pytest.approx(4.302653 * error)
    assert found.p == pytest.approx(2 * stdtr(2, -1.5 / error))
    assert 0.01 < found.p < 0.05


@pytest.mark.parametrize(
    ("count", "quantile"), [(2, 12.706205), (3, 4.302653), (5, 2.776445), (9, 2.306004)]
)
def test_intervals_have_student_s_quantiles(count: int, quantile: float):
    assert interval_factor(count) == pytest.approx(quantile)
    assert isnan(interval_factor(1))


def test_an_interval_of_three_seeds_by_hand():
    """1.0, 1.5 and 2.0 have a standard error of 0.5 / sqrt(3)."""
    found = paired_difference({0: 1.0, 1: 1.5, 2: 2.0}, dict.fromkeys(range(3), 0.0))
    assert found.margin == pytest.approx(4.302653 * 0.5 / sqrt(3))
    assert found.in_words(2) == "+1.50 [+0.26, +2.74]"
    assert found.conclusive
    assert found.p < 0.05, "the test and the interval say the same"


@pytest.mark.parametrize(
    ("pairs", "mean", "margin", "conclusive"),
    [
        (3, 1.0, 0.9, True),
        (3, -1.0, 0.9, True),
        (3, 1.0, 1.1, False),
        (3, -1.0, 1.1, False),
        (2, 1.0, 0.1, False),
        (1, 1.0, float("nan"), False),
        (3, 1.0, float("nan"), False),
        (0, float("nan"), float("nan"), False),
    ],
)
def test_few_seeds_or_an_interval_with_zero_decide_nothing(pairs, mean, margin, conclusive):
    assert PairedDifference(pairs, mean, margin, float("nan")).conclusive == conclusive


def test_intervals_in_words():
    assert interval_in_words(1234.5, 0.25, 1) == "1,234.5 [1,234.2, 1,234.8]"
    assert interval_in_words(0.5, float("nan"), 3) == "0.500"
    assert interval_in_words(float("nan"), float("nan"), 3) == "-"
    assert interval_in_words(-0.25, 0.5, 2, "+") == "-0.25 [-0.75, +0.25]"


def test_what_seeds_share_cancels():
    ours = {seed: 100.0 * seed + 1 + 0.1 * (-1) ** seed for seed in range(6)}
    best = {seed: 100.0 * seed for seed in range(6)}
    assert paired_difference(ours, best).p < 1e-4


@pytest.mark.parametrize(
    "ours, best, pairs",
    [
        ({0: 1.0}, {0: 2.0}, 1),
        ({0: 1.0}, {1: 2.0}, 0),
        ({None: 1.0, 0: 1.0}, {None: 2.0, 0: 2.0}, 1),
        ({0: 1.0, 1: 2.0}, {0: 2.0, 1: 3.0}, 2),
        ({0: 1.0, 1: float("nan")}, {0: 2.0, 1: 3.0}, 1),
    ],
)
def test_there_is_no_test_without_spread(ours, best, pairs):
    found = paired_difference(ours, best)
    assert found.pairs == pairs and isnan(found.p)
    assert isnan(found.mean) if pairs == 0 else found.mean == -1


def test_holm_s_own_example():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_what_is_no_test_does_not_count():
    corrected = holm([0.04, float("nan"), 0.6, 0.7])
    assert isnan(corrected[1])
    assert [corrected[0], *corrected[2:]] == pytest.approx([0.12, 1, 1])
