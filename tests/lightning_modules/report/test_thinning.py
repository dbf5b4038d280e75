"""Points that thinning keeps, and rounding of numbers."""

from math import inf, nan

from lightning_modules.report.thinning import kept, plain


def test_short_curves_are_whole():
    assert kept(5, most=5).tolist() == [0, 1, 2, 3, 4]
    assert kept(0).tolist() == []


def test_long_curves_keep_both_ends_and_even_gaps():
    places = kept(1001, most=101)
    assert len(places) == 101
    assert places.tolist() == list(range(0, 1001, 10))
    gaps = kept(997, most=200).diff()
    assert set(gaps.tolist()) <= {5, 6} and kept(997, most=200)[-1] == 996


def test_numbers_are_short_and_gaps_are_null():
    assert plain([1 / 3, -123456.7, 2.0, 0.000012345678, nan, inf]) == [
        0.33333,
        -123460,
        2,
        0.000012346,
        None,
        None,
    ]
