"""Similarity-cued recall against a plain reading of algorithm 4 of Gemici et al. 2017."""

from collections import Counter

import numpy as np
import pytest

from datamodules import SimilarityCuedRecall
from tests.datamodules.recall_sequences import SEQUENCES, SIZES, Make, counted_from_1, sequences


def algorithm_4(sequence: dict[int, int], length: int, k: int) -> list[list[int]]:
    every = []
    for r in range(1, length - k + 1):
        every.append([*sequence.values(), *(sequence[i] for i in range(r, r + k))])
    return every


@pytest.mark.parametrize(("length", "recall"), [*SIZES, (3, 2)])
def test_it_is_algorithm_4(make: Make, length: int, recall: int) -> None:
    starts: Counter[int] = Counter()
    task = make(SimilarityCuedRecall, pre_recall_length=length, recall_length=recall)
    for seen in sequences(task)[0]:
        possible = algorithm_4(counted_from_1(seen.pictures[:length]), length, recall)
        start = seen.place[length]
        assert seen.pictures == possible[start]
        assert seen.recalled_from[:length] == [-1] * length
        assert seen.recalled_from[length] == -1, "the cue cannot be predicted"
        assert seen.recalled_from[length + 1 :] == list(range(start + 1, start + recall))
        assert seen.place == [*range(length), *range(start, start + recall)]
        starts[start] += 1
    counts = np.array([starts[start] for start in range(length - recall)])
    assert counts.sum() == SEQUENCES, "r is never above l - k"
    expected = SEQUENCES / len(counts)
    assert ((counts - expected) ** 2 / expected).sum() < 36.1, "chi-square, at most 14 df, 0.1 %"


def test_the_cue_cannot_be_known_so_it_is_given() -> None:
    assert SimilarityCuedRecall(pre_recall_length=20).prefix_length == 21


def test_rehearsals_are_cues_and_runs_until_the_sequence_is_full(make: Make) -> None:
    stage = {"batches": SEQUENCES, "pre_recall_lengths": [4, 7, 20, 21]}
    task = make(SimilarityCuedRecall, curriculum=[stage])
    lengths: Counter[int] = Counter()
    starts: dict[int, Counter[int]] = {4: Counter(), 7: Counter(), 20: Counter()}
    for seen in sequences(task, "train")[0]:
        length = max(seen.place) + 1
        run = {4: 2, 7: 3, 20: 5}[length]
        assert seen.place[:length] == list(range(length))
        for cue in range(length, 25, run):
            first = seen.place[cue]
            assert seen.place[cue : cue + run] == [*range(first, first + run)][: 25 - cue]
            assert seen.recalled_from[cue] == -1
            assert seen.recalled_from[cue + 1 : cue + run] == seen.place[cue + 1 : cue + run]
            starts[length][first] += 1
        lengths[length] += 1
    assert min(lengths.values()) > SEQUENCES / 4
    assert [sorted(starts[n]) for n in (4, 7, 20)] == [[0, 1], [0, 1, 2, 3], list(range(15))]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"recall_length": 1}, "recall_length must be at least 2, got 1"),
        ({"pre_recall_length": 5}, "recall_length must be at most 4, got 5"),
        (
            {"curriculum": [{"batches": 1, "pre_recall_lengths": [3, 9]}]},
            "curriculum[0].pre_recall_lengths must be lengths of at least 4, one of them at most "
            "20, got [3, 9]",
        ),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(ValueError) as error:
        SimilarityCuedRecall(**settings)
    assert str(error.value) == message
