"""The recall tasks against a plain reading of the algorithms of Gemici et al. 2017, appendix D.

A picture's identity is its number in the split, found by its bytes. The readings below take the
random pictures that a sequence began with, follow the algorithm line by line, counted from 1 as
there, and say what must come after them.
"""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch

from datamodules import (
    DynamicDependency,
    FrameSequences,
    MNISTMaze,
    ParityRecall,
    PerfectRecall,
    SequenceDataModule,
    SimilarityCuedRecall,
)
from datamodules.frames.recall import RecallDataModule

Make = Callable[..., RecallDataModule]
TASKS = [PerfectRecall, ParityRecall, DynamicDependency, SimilarityCuedRecall]
SIZES = [(10, 5), (20, 5), (11, 9)]
SEQUENCES = 400


class Seen(NamedTuple):
    """One sequence: pictures, labels, and what the batch says of each step."""

    pictures: list[int]
    labels: list[int]
    recalled_from: list[int]
    place: list[int]


class Split(NamedTuple):
    """The pictures that a sequence may draw."""

    number: dict[bytes, int]
    labels: list[int]


def pictures_of(task: SequenceDataModule, split: str) -> Split:
    dataset = task.dataset(split)  # type: ignore[arg-type]
    number = {image.numpy().tobytes(): i for i, image in enumerate(dataset.images)}
    assert len(number) == len(dataset.images), "no picture twice, so bytes are an identity"
    return Split(number, dataset.labels.tolist())


def read(batch: FrameSequences, split: Split) -> list[Seen]:
    images = (batch.frames[:, :, 0] * 255).round().byte().numpy()
    fields = (batch.labels, batch.recalled_from, batch.place)
    return [
        Seen([split.number[image.tobytes()] for image in row], *(field.tolist() for field in rest))
        for row, *rest in zip(images, *fields, strict=True)
    ]


def sequences(task: RecallDataModule, split: str = "train") -> tuple[list[Seen], Split]:
    pictures = pictures_of(task, split)
    return read(task.dataset(split).__getitems__(range(SEQUENCES)), pictures), pictures


def counted_from_1(values: list[int]) -> dict[int, int]:
    return dict(enumerate(values, start=1))


def algorithm_1(sequence: dict[int, int], k: int) -> list[int]:
    for j in range(1, k + 1):
        sequence[len(sequence) + 1] = sequence[j]
    return list(sequence.values())


def algorithm_2(labels: dict[int, int], k: int) -> list[int]:
    return [{True: 0, False: 1}[labels[j] in (0, 2, 4, 6, 8)] for j in range(1, k + 1)]


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


def algorithm_4(sequence: dict[int, int], length: int, k: int) -> list[list[int]]:
    every = []
    for r in range(1, length - k + 1):
        every.append([*sequence.values(), *(sequence[i] for i in range(r, r + k))])
    return every


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Builds a recall task on the embedded digits that is ready to deliver data."""

    def ready(task: type[RecallDataModule], **settings) -> RecallDataModule:
        small = {"train_size": SEQUENCES, "val_size": SEQUENCES, "test_size": SEQUENCES}
        here = {"data_dir": str(tmp_path), "source": "mnist5k", "num_workers": 0}
        built = task(**{**here, **small, **settings})
        built.setup()
        return built

    return ready


@pytest.mark.parametrize(("length", "recall"), [*SIZES, (5, 5)])
def test_perfect_recall_is_algorithm_1(make: Make, length: int, recall: int) -> None:
    task = make(PerfectRecall, pre_recall_length=length, recall_length=recall)
    for seen in sequences(task)[0]:
        first = counted_from_1(seen.pictures[:length])
        assert seen.pictures == algorithm_1(first, recall)
        assert seen.recalled_from == [-1] * length + list(range(recall))
        assert seen.place == [*range(length), *range(recall)]


@pytest.mark.parametrize("zero_means", ["even", "odd"])
@pytest.mark.parametrize(("length", "recall"), [*SIZES, (5, 5)])
def test_parity_recall_is_algorithm_2(
    make: Make, length: int, recall: int, zero_means: str
) -> None:
    sizes = {"pre_recall_length": length, "recall_length": recall}
    for seen in sequences(make(ParityRecall, zero_means=zero_means, **sizes))[0]:
        reports = algorithm_2(counted_from_1(seen.labels), recall)
        if zero_means == "odd":
            reports = [1 - report for report in reports]
        assert seen.labels[length:] == reports
        assert seen.recalled_from == [-1] * length + list(range(recall))
        assert seen.place == list(range(length + recall))


def test_parity_recall_draws_zeros_and_ones_at_random(make: Make) -> None:
    seen, split = sequences(make(ParityRecall))
    reports = Counter(picture for s in seen for picture in s.pictures[15:])
    digits = [picture for picture, label in enumerate(split.labels) if label < 2]
    assert set(reports) <= set(digits)
    assert len(reports) > 0.85 * len(digits), "2,000 draws leave out 1 in 12 of 800"
    assert max(reports.values()) < 15


@pytest.mark.parametrize(("length", "recall"), [*SIZES, (10, 12)])
def test_dynamic_dependency_is_algorithm_3(make: Make, length: int, recall: int) -> None:
    task = make(DynamicDependency, pre_recall_length=length, recall_length=recall)
    for seen in sequences(task)[0]:
        first, labels = (counted_from_1(s[:length]) for s in (seen.pictures, seen.labels))
        pictures, addresses = algorithm_3(first, labels, length, recall)
        assert seen.pictures == pictures
        assert seen.labels == list(labels.values()), "the label of a recalled frame goes with it"
        assert seen.recalled_from == [-1] * length + addresses
        assert seen.place == [*range(length), *addresses]
        assert addresses == seen.labels[length - 1 : -1]


@pytest.mark.parametrize(("length", "recall"), [*SIZES, (3, 2)])
def test_similarity_cued_recall_is_algorithm_4(make: Make, length: int, recall: int) -> None:
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


@pytest.mark.parametrize("task", TASKS)
def test_the_first_frames_are_random_pictures_of_the_split(make: Make, task: type) -> None:
    built = make(task)
    seen, split = sequences(built)
    drawn = Counter(p for s in seen for p in s.pictures[: built.pre_recall_length])
    missed = (1 - 1 / len(split.labels)) ** (SEQUENCES * built.pre_recall_length)
    assert abs(1 - len(drawn) / len(split.labels) - missed) < 0.03
    assert max(drawn.values()) < 15
    assert all([split.labels[p] for p in s.pictures] == s.labels for s in seen)


@pytest.mark.parametrize("task", [PerfectRecall, SimilarityCuedRecall, DynamicDependency])
def test_a_picture_that_comes_twice_by_chance_is_new(make: Make, task: type) -> None:
    """Of 20 pictures among 500, two are equal in every third sequence."""
    twins = 0
    for seen in sequences(make(task, pre_recall_length=20), "val")[0]:
        first = seen.pictures[:20]
        twins += len(set(first)) < 20
        assert seen.recalled_from[:20] == [-1] * 20
        assert seen.place[:20] == list(range(20))
    assert 80 < twins < 200


@pytest.mark.parametrize("task", TASKS)
def test_batches_have_the_promised_form(make: Make, task: type, source: str, real_data: Path):
    built = make(task, source=source, data_dir=str(real_data), batch_size=6)
    batch = next(iter(built.train_dataloader()))
    steps = built.sequence_length
    assert built.action_size == 0 and built.frame_shape == (1, 28, 28)
    assert batch.frames.shape == (6, steps, 1, 28, 28) and batch.frames.dtype == torch.float32
    assert batch.actions.shape == (6, steps, 0) and batch.actions.dtype == torch.float32
    for field in (batch.recalled_from, batch.place, batch.labels):
        assert field.shape == (6, steps) and field.dtype == torch.int64
    assert batch.frames.min() == 0 and batch.frames.max() == 1
    assert built.data_record()["source"] == source


@pytest.mark.parametrize("task", [*TASKS, MNISTMaze])
def test_answers_are_earlier_steps_and_equal_places_equal_frames(make: Make, task: type) -> None:
    batch = make(task).dataset("val").__getitems__(range(40))
    steps = torch.arange(batch.place.shape[1])
    assert (batch.recalled_from < steps).all() and (batch.recalled_from >= -1).all()
    assert ((batch.recalled_from >= 0).sum(1) > 0).all()
    for frames, place in zip(batch.frames, batch.place, strict=True):
        for where in place.unique():
            here = frames[place == where]
            assert torch.equal(here, here[:1].expand_as(here))
    if task is ParityRecall:
        return
    sequence, step = (batch.recalled_from >= 0).nonzero(as_tuple=True)
    answer = batch.recalled_from[sequence, step]
    assert torch.equal(batch.frames[sequence, step], batch.frames[sequence, answer])
    assert torch.equal(batch.place[sequence, step], batch.place[sequence, answer])


@pytest.mark.parametrize("task", TASKS)
def test_sequences_repeat_with_the_seed_and_differ_between_splits(make: Make, task: type) -> None:
    one, same = make(task), make(task)
    assert one.data_record() == same.data_record()
    assert one.data_record()["test_sha256"] != make(task, seed=1).data_record()["test_sha256"]
    rows = [
        row.numpy().tobytes()
        for split in ("train", "val", "test")
        for row in one.dataset(split).__getitems__(range(50)).frames  # type: ignore[arg-type]
    ]
    assert len(set(rows)) == 150


@pytest.mark.parametrize("task", TASKS)
def test_no_picture_is_in_two_splits(make: Make, task: type) -> None:
    built = make(task)
    parts = [set(pictures_of(built, split).number) for split in ("train", "val", "test")]
    assert len(set.union(*parts)) == sum(map(len, parts))


@pytest.mark.parametrize("task", TASKS)
def test_workers_change_nothing(make: Make, task: type) -> None:
    alone, helped = (
        list(make(task, num_workers=workers, train_size=20, batch_size=10).train_dataloader())
        for workers in (0, 2)
    )
    assert len(alone) == len(helped) == 2
    for one, other in zip(alone, helped, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


L, K = "pre_recall_length", "recall_length"


@pytest.mark.parametrize(
    ("task", "settings", "message"),
    [
        (PerfectRecall, {L: 0}, f"{L} must be at least 1, got 0"),
        (PerfectRecall, {K: 0}, f"{K} must be at least 1, got 0"),
        (PerfectRecall, {L: 4}, f"{K} must be at most 4, got 5"),
        (ParityRecall, {L: 7, K: 8}, f"{K} must be at most 7, got 8"),
        (ParityRecall, {"zero_means": "ODD"}, "zero_means must be one of even, odd, got ODD"),
        (DynamicDependency, {L: 9}, f"{L} must be at least 10, got 9"),
        (SimilarityCuedRecall, {K: 1}, f"{K} must be at least 2, got 1"),
        (SimilarityCuedRecall, {L: 5}, f"{K} must be at most 4, got 5"),
        (
            SimilarityCuedRecall,
            {f"train_{L}s": [3, 9]},
            f"train_{L}s must be null or lengths of at least 4, one of them at most 20, got [3, 9]",
        ),
        (
            DynamicDependency,
            {f"train_{L}s": []},
            f"train_{L}s must be null or lengths of at least 2, one of them at most 20, got []",
        ),
    ],
)
def test_settings_out_of_range_are_refused(task: type, settings: dict, message: str) -> None:
    with pytest.raises(ValueError) as error:
        task(**settings)
    assert str(error.value) == message


def test_generation_begins_where_everything_can_be_known(make: Make) -> None:
    for task in TASKS:
        data = make(task, pre_recall_length=20)
        cues = 1 if task is SimilarityCuedRecall else 0
        assert data.prefix_length == 20 + cues, "a cue can not be known, so it is given"
        recalled = data.dataset("test")[0].recalled_from >= 0
        assert not recalled[: data.prefix_length].any() and recalled[data.prefix_length :].all()


def test_rehearsals_are_cues_and_runs_until_the_sequence_is_full(make: Make) -> None:
    task = make(SimilarityCuedRecall, train_pre_recall_lengths=[4, 7, 20, 21])
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


def test_questions_are_new_digits_and_their_references_until_the_sequence_is_full(
    make: Make,
) -> None:
    task = make(DynamicDependency, train_pre_recall_lengths=[3, 6, 20, 21])
    lengths: Counter[int] = Counter()
    answers: Counter[int] = Counter()
    for seen in sequences(task, "train")[0]:
        # What is asked at step t is the label of step t - 1, whether that is new or an answer.
        for t, (place, origin) in enumerate(zip(seen.place, seen.recalled_from, strict=True)):
            if origin >= 0:
                assert place == origin == seen.labels[t - 1]
                assert seen.pictures[t] == seen.pictures[origin]
            else:
                assert place == t
        length = next(t for t, origin in enumerate(seen.recalled_from) if origin >= 0)
        assert max(seen.labels) < length
        lengths[length] += 1
        said = "".join("a" if origin >= 0 else "q" for origin in seen.recalled_from[length:])
        answers.update(len(run) for run in said.rstrip("a").split("q") if run)
        assert "qq" not in said
    assert sorted(lengths) == [3, 6, 20] and min(lengths.values()) > SEQUENCES / 4
    assert sorted(answers) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("task", [SimilarityCuedRecall, DynamicDependency])
def test_a_curriculum_leaves_the_tests_alone(make: Make, task: type) -> None:
    with_it, without = make(task, train_pre_recall_lengths=[12]), make(task)
    for split, same in (("train", False), ("val", True), ("test", True)):
        frames = (data.dataset(split)[3].frames for data in (with_it, without))
        assert torch.equal(*frames) == same, split
