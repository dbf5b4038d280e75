"""Perfect recall against a plain reading of algorithm 1 of Gemici et al. 2017, appendix D."""

import pytest

from datamodules import PerfectRecall
from tests.datamodules.recall_sequences import SIZES, Make, counted_from_1, sequences


def algorithm_1(sequence: dict[int, int], k: int) -> list[int]:
    for j in range(1, k + 1):
        sequence[len(sequence) + 1] = sequence[j]
    return list(sequence.values())


@pytest.mark.parametrize(("length", "recall"), [*SIZES, (5, 5)])
def test_it_is_algorithm_1(make: Make, length: int, recall: int) -> None:
    task = make(PerfectRecall, pre_recall_length=length, recall_length=recall)
    for seen in sequences(task)[0]:
        first = counted_from_1(seen.pictures[:length])
        assert seen.pictures == algorithm_1(first, recall)
        assert seen.recalled_from == [-1] * length + list(range(recall))
        assert seen.place == [*range(length), *range(recall)]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pre_recall_length": 0}, "pre_recall_length must be at least 1, got 0"),
        ({"recall_length": 0}, "recall_length must be at least 1, got 0"),
        ({"pre_recall_length": 4}, "recall_length must be at most 4, got 5"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError) as error:
        PerfectRecall(**settings)
    assert str(error.value) == message
