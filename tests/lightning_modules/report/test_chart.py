"""Axes of charts: round tick labels."""

import pytest

from lightning_modules.report.chart import MOST_TICKS, log_axis


@pytest.mark.parametrize(
    ("values", "labels"),
    (
        ([600, 9_500], ["1,000", "2,000", "5,000", "10,000"]),
        ([1_000, 9_500], ["1,000", "2,000", "5,000", "10,000"]),
        ([500, 100_000], ["1,000", "3,000", "10,000", "30,000", "100,000"]),
        ([1_448, 1_658], ["1,500", "1,600"]),
        ([0.5, 2], ["0.5", "1", "2"]),
        ([2_425, 2_430], ["2,430"]),
        ([64, 64], ["60", "70", "80"]),
    ),
)
def test_a_logarithmic_axis_has_round_numbers(values: list[float], labels: list[str]) -> None:
    axis = log_axis(values)
    assert axis["ticktext"] == labels and len(labels) <= MOST_TICKS
    assert [f"{value:,g}" for value in axis["tickvals"]] == labels
    low, high = (10**exponent for exponent in axis["range"])
    assert low < min(values) and max(values) < high, "no point lies on the frame"
