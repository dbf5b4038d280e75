"""Paired tests and their correction, against numbers worked out otherwise."""

from math import isnan, sqrt

import numpy as np
import pytest
from scipy.special import stdtr

from lightning_modules.records.significance import holm, paired_difference


def test_pairs_are_of_the_same_seed():
    ours, best = {0: 3.0, 1: 5.0, 2: 4.0, 7: 100.0}, {2: 2.0, 1: 4.0, 0: 1.5, 9: -50.0}
    found = paired_difference(ours, best)
    differences = np.array([1.5, 1.0, 2.0])
    error = differences.std(ddof=1) / sqrt(3)
    assert found.pairs == 3
    assert found.mean == pytest.approx(1.5)
    assert found.error == pytest.approx(error)
    assert found.p == pytest.approx(2 * stdtr(2, -1.5 / error))
    assert 0.01 < found.p < 0.05


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
