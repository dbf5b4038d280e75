"""Paired tests and their correction, against independently computed values."""

from math import inf, isnan, sqrt

import numpy as np
import pytest
from scipy.special import stdtr

from lightning_modules.records.significance import (
    LEVEL,
    compared,
    holm,
    interval_factor,
    interval_in_words,
    paired_difference,
    reference_among,
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
    assert found.p < 0.05, "the test and the interval say the same"


def test_intervals_in_words():
    assert interval_in_words(1234.5, 0.25, 1) == "1,234.5 [1,234.2, 1,234.8]"
    assert interval_in_words(0.5, float("nan"), 3) == "0.500"
    assert interval_in_words(float("nan"), float("nan"), 3) == "-"
    assert interval_in_words(-0.25, 0.5, 2, "+") == "-0.25 [-0.75, +0.25]"


def test_differences_that_are_equal_but_for_rounding_are_not_tested():
    ours, best = {0: 1.1, 1: 1.2, 2: 1.3}, {0: 1.0, 1: 1.1, 2: 1.2}
    assert len({ours[seed] - best[seed] for seed in ours}) > 1
    found = paired_difference(ours, best)
    assert found.mean == pytest.approx(0.1) and isnan(found.margin) and isnan(found.p)


def test_intervals_end_at_the_least_and_largest_possible_value():
    assert interval_in_words(0.4, 1.0, 2, limits=(0.0, inf)) == "0.40 [0.00, 1.40]"
    assert interval_in_words(0.9, 0.3, 2, limits=(0.0, 1.0)) == "0.90 [0.60, 1.00]"
    # An optimum is computed on a finite set, and may be surpassed.
    assert interval_in_words(-0.1, 0.2, 2, limits=(0.0, inf)) == "-0.10 [-0.10, 0.10]"


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
        ({0: 1.0, 1: 2.1}, {0: 2.1, 1: 3.0}, 2),
        ({0: 1.0, 1: float("nan")}, {0: 2.0, 1: 3.0}, 1),
    ],
)
def test_there_is_no_test_of_two_pairs_or_without_spread(ours, best, pairs):
    found = paired_difference(ours, best)
    assert found.pairs == pairs and isnan(found.p)
    assert isnan(found.mean) if pairs == 0 else found.mean == pytest.approx(-1)


def test_holm_s_own_example():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_what_is_no_test_does_not_count():
    corrected = holm([0.04, float("nan"), 0.6, 0.7])
    assert isnan(corrected[1])
    assert [corrected[0], *corrected[2:]] == pytest.approx([0.12, 1, 1])


@pytest.mark.parametrize("seeds", [3, 5])
def test_tables_of_equal_models_seldom_have_a_conclusion(seeds: int):
    """Uncorrected intervals have a false positive in 41% of tables (three seeds), 45% (five)."""
    random = np.random.default_rng(0)
    tables = 250
    found = plain = 0
    for _ in range(tables):
        drawn = sorted(random.normal(size=(8, seeds)), key=np.mean)
        rows = compared([dict(enumerate(values.tolist())) for values in drawn])
        found += any(p < LEVEL for _, p in rows)
        plain += any(each is not None and abs(each.mean) > each.margin for each, _ in rows)
    assert plain / tables > 0.3
    # 9% and 10% in 4,000 tables, as the reference is selected on the same values.
    assert found / tables < 0.15


def test_a_conclusion_is_of_all_comparisons_together():
    """Each interval excludes 0, but among seven tests p = 0.04 is not significant."""
    reference = dict.fromkeys(range(3), 0.0)
    others = [{0: 1.0, 1: 1.5 + i / 100, 2: 2.0} for i in range(7)]
    rows = compared([reference, *others])
    assert rows[0][0] is None
    differences = [difference for difference, _ in rows[1:] if difference is not None]
    assert all(each.mean > each.margin for each in differences) and len(differences) == 7
    assert min(p for _, p in rows[1:]) == pytest.approx(7 * min(each.p for each in differences))
    assert all(p > LEVEL for _, p in rows[1:])


@pytest.mark.parametrize(
    ("seeds", "place"),
    [
        ([[0, 1, 2], [0, 1, 2], [0, 1, 2]], 0),
        ([[0, 1, 2], [31, 32, 33], [31, 32, 33]], 1),  # an old run before a new table
        ([[0, 1, 2], [0, 1, 2], [31, 32, 33], [31, 32, 33], [31, 32, 33]], 2),
        ([[31, 32], [31, 32, 33], [31, 32, 33, 34]], 1),  # one that lacks a seed
        ([[0], [0, 1, 2]], 0),  # no model shares three seeds
        ([[0]], 0),
    ],
)
def test_the_reference_shares_its_seeds(seeds: list[list[int]], place: int):
    values: list[dict[int | None, float]] = [
        {seed: i + seed / 1000 for seed in own} for i, own in enumerate(seeds)
    ]
    assert reference_among(values) == place
    differences = [each for each, _ in compared(values)]
    assert [i for i, each in enumerate(differences) if each is None] == [place]


def test_a_number_that_is_not_known_is_of_no_seed():
    known = {seed: float(seed) for seed in range(3)}
    assert reference_among([{**known, 2: float("nan")}, known, known]) == 1
