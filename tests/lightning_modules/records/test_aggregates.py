"""Statistics over benchmarks, against SciPy's and against an enumeration of all resamples."""

from itertools import product
from math import isnan

import numpy as np
import pytest
from scipy.stats import mannwhitneyu, trim_mean

from lightning_modules.records.aggregates import (
    FEWEST_BENCHMARKS,
    Aggregate,
    exceedance,
    interquartile_mean,
    mean,
    probability_of_improvement,
)


def scores(*sizes: int, seed: int = 0) -> list[np.ndarray]:
    """Random scores, with these numbers of runs on the benchmarks."""
    generator = np.random.default_rng(seed)
    return [generator.normal(size=size) for size in sizes]


def test_the_middle_half_is_scipy_s_where_whole_runs_are_cut() -> None:
    of = scores(3, 3, 3, 3)
    expected = trim_mean(np.concatenate(of), 0.25)
    assert interquartile_mean(of).value == pytest.approx(expected)


def test_a_run_may_be_in_the_middle_half_in_part() -> None:
    """Of six values, one and a half are cut at each end."""
    of = [np.array([1.0, 2.0, 4.0]), np.array([8.0, 16.0, 32.0])]
    assert interquartile_mean(of).value == pytest.approx((0.5 * 2 + 4 + 8 + 0.5 * 16) / 3)


def test_benchmarks_count_the_same_whatever_their_number_of_runs() -> None:
    of = scores(2, 5, 3)
    # With thirty copies of each run, benchmarks are equally large and only whole runs are cut.
    repeated = np.concatenate([np.repeat(each, 60 // len(each)) for each in of])
    assert interquartile_mean(of).value == pytest.approx(trim_mean(repeated, 0.25))
    assert mean(of).value == pytest.approx(np.mean([each.mean() for each in of]))


def test_few_benchmarks_have_no_interval() -> None:
    of = scores(*[3] * (FEWEST_BENCHMARKS - 1))
    for found in (interquartile_mean(of), mean(of), probability_of_improvement(of, of[::-1])):
        assert isnan(found.low) and isnan(found.high)
    assert interquartile_mean(scores(*[3] * FEWEST_BENCHMARKS)).low < 1


def test_intervals_are_those_of_all_resamples_of_benchmarks() -> None:
    """There are 3,125 of five benchmarks; runs stay together."""
    of, others = scores(4, 4, 4, 4, 4), scores(4, 4, 4, 4, 4, seed=1)
    draws = np.array([*product(range(5), repeat=5)])
    drawn = np.sort(np.stack(of)[draws].reshape(-1, 20))
    wins = np.array(
        [mannwhitneyu(a, b).statistic / 16 for a, b in zip(of, others, strict=True)],
    )
    every = {
        "interquartile": drawn[:, 5:15].mean(1),
        "mean": drawn.mean(1),
        "improvement": wins[draws].mean(1),
    }
    found = {
        "interquartile": interquartile_mean(of),
        "mean": mean(of),
        "improvement": probability_of_improvement(of, others),
    }
    for name, resampled in every.items():
        # SciPy draws a random sample of them.
        least, most, small, large = np.quantile(resampled, [0.02, 0.03, 0.97, 0.98])
        low, high = found[name].low, found[name].high
        rounding = 1e-12
        assert least - rounding <= low <= most + rounding, name
        assert small - rounding <= high <= large + rounding, name
    assert found["improvement"].value == pytest.approx(wins.mean())


def test_an_improvement_is_mann_and_whitney_s_with_ties_as_half() -> None:
    ours = [np.array([1.0, 2.0, 3.0]), np.array([0.5, 0.5])]
    others = [np.array([2.0, 2.5, 0.0]), np.array([0.5, 0.1, 0.9])]
    # 1 > 0; 2 > 0 and ties with 2; 3 > all: 5.5 of 9. On the second benchmark 2 + 2 / 2 of 6.
    expected = (5.5 / 9 + 3 / 6) / 2
    found = probability_of_improvement(ours, others).value
    assert found == pytest.approx(expected)
    assert probability_of_improvement(others, ours).value == pytest.approx(1 - expected)
    by_scipy = [
        mannwhitneyu(a, b).statistic / (len(a) * len(b)) for a, b in zip(ours, others, strict=True)
    ]
    assert found == pytest.approx(np.mean(by_scipy))


def test_a_profile_is_the_share_of_runs_that_score_more() -> None:
    of = [np.array([0.2, 0.8]), np.array([0.5, 0.1, 0.9, 0.5])]
    found = exceedance(of)
    assert found.thresholds.tolist() == [0.1, 0.2, 0.5, 0.5, 0.8, 0.9]
    last = {float(t): s for t, s in zip(*found, strict=True)}
    for threshold, share in last.items():
        assert share == pytest.approx(np.mean([(each > threshold).mean() for each in of]))


def test_words() -> None:
    assert Aggregate(0.456, 0.3, 0.512).in_words(2) == "0.46 [0.30, 0.51]"
    assert Aggregate(-0.001).in_words(2) == "0.00"
    assert Aggregate(float("nan")).in_words(2) == "-"
