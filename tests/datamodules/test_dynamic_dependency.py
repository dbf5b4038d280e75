"""Dynamic dependency against a plain reading of algorithm 3 of Gemici et al. 2017, appendix D."""

from collections import Counter

import pytest

from datamodules import DynamicDependency
from tests.datamodules.recall_sequences import SEQUENCES, SIZES, Make, counted_from_1, sequences


def algorithm_3(
    sequence: dict[int, int],
    labels: dict[int, int],
    length: int,
    k: int,
) -> tuple[list[int], list[int]]:
    addresses = []
    for j in range(1, k + 1):
        address = labels[length + j - 1]
        sequence[length + j] = sequence[address + 1]
        labels[length + j] = labels[address + 1]
        addresses.append(address)
    return list(sequence.values()), addresses


@pytest.mark.parametrize(("length", "recall"), [*SIZES, (10, 12)])
def test_it_is_algorithm_3(make: Make, length: int, recall: int) -> None:
    task = make(DynamicDependency, pre_recall_length=length, recall_length=recall)
    for seen in sequences(task)[0]:
        first, labels = (counted_from_1(s[:length]) for s in (seen.pictures, seen.labels))
        pictures, addresses = algorithm_3(first, labels, length, recall)
        assert seen.pictures == pictures
        assert seen.labels == list(labels.values()), "the label of a recalled frame goes with it"
        assert seen.recalled_from == [-1] * length + addresses
        assert seen.place == [*range(length), *addresses]
        assert addresses == seen.labels[length - 1 : -1]


def test_questions_are_new_digits_and_their_references_until_the_sequence_is_full(
    make: Make,
) -> None:
    stage = {"batches": SEQUENCES, "pre_recall_lengths": [3, 6, 20, 21]}
    task = make(DynamicDependency, curriculum=[stage])
    lengths: Counter[int] = Counter()
    answers: Counter[int] = Counter()
    for seen in sequences(task, "train")[0]:
        # The address at step t is the label of step t - 1, whether that is new or an answer.
        for t, (place, origin) in enumerate(zip(seen.place, seen.recalled_from, strict=True)):
            if origin >= 0:
                assert place == origin == seen.labels[t - 1]
                assert seen.pictures[t] == seen.pictures[origin]
            else:
                assert place == t
        length = next(t for t, origin in enumerate(seen.recalled_from) if origin >= 0)
        assert max(seen.labels) < length
        lengths[length] += 1
        kinds = "".join("a" if origin >= 0 else "q" for origin in seen.recalled_from[length:])
        answers.update(len(run) for run in kinds.rstrip("a").split("q") if run)
        assert "qq" not in kinds
    assert sorted(lengths) == [3, 6, 20] and min(lengths.values()) > SEQUENCES / 4
    assert sorted(answers) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pre_recall_length": 9}, "pre_recall_length must be at least 10, got 9"),
        (
            {"curriculum": [{"batches": 1, "pre_recall_lengths": []}]},
            "curriculum[0].pre_recall_lengths must be lengths of at least 2, one of them at most "
            "20, got []",
        ),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(ValueError) as error:
        DynamicDependency(**settings)
    assert str(error.value) == message
