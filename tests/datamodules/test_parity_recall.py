"""Parity recall against a plain reading of algorithm 2 of Gemici et al. 2017, appendix D."""

from collections import Counter

import pytest

from datamodules import ParityRecall
from tests.datamodules.recall_sequences import SIZES, Make, counted_from_1, sequences


def algorithm_2(labels: dict[int, int], k: int) -> list[int]:
    return [{True: 0, False: 1}[labels[j] in (0, 2, 4, 6, 8)] for j in range(1, k + 1)]


@pytest.mark.parametrize("zero_means", ["even", "odd"])
@pytest.mark.parametrize(("length", "recall"), [*SIZES, (5, 5)])
def test_it_is_algorithm_2(make: Make, length: int, recall: int, zero_means: str) -> None:
    sizes = {"pre_recall_length": length, "recall_length": recall}
    for seen in sequences(make(ParityRecall, zero_means=zero_means, **sizes))[0]:
        reports = algorithm_2(counted_from_1(seen.labels), recall)
        if zero_means == "odd":
            reports = [1 - report for report in reports]
        assert seen.labels[length:] == reports
        assert seen.recalled_from == [-1] * length + list(range(recall))
        assert seen.place == list(range(length + recall))


def test_zeros_and_ones_are_drawn_at_random(make: Make) -> None:
    seen, pictures = sequences(make(ParityRecall))
    reports = Counter(picture for s in seen for picture in s.pictures[15:])
    digits = [picture for picture, label in enumerate(pictures.labels) if label < 2]
    assert set(reports) <= set(digits)
    assert len(reports) > 0.85 * len(digits), "2,000 draws leave out 1 in 12 of 800"
    assert max(reports.values()) < 15


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pre_recall_length": 7, "recall_length": 8}, "recall_length must be at most 7, got 8"),
        ({"zero_means": "ODD"}, "zero_means must be one of even, odd, got ODD"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(ValueError) as error:
        ParityRecall(**settings)
    assert str(error.value) == message
