"""Curricula of frames end with the test's sequences, whatever the process and the moment.

The shares are those of which the issue of permanent mixtures complained: of dynamic dependency's
training sequences 4% had the test's form, a quarter of the late frames were new digits, and the
addresses 6 to 9 were rare.
"""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from datamodules import DynamicDependency, FrameSequences, MNISTMaze, SimilarityCuedRecall
from datamodules.frames.benchmark import SequenceDataModule
from tests.datamodules.recall_sequences import Make

CONF = Path(__file__).parents[3] / "conf" / "data"
#: Sequences of each measurement; with them a share of 0.1 is known to 0.009 (three deviations).
MANY = 2_000
STAGED: dict[type[SequenceDataModule], dict[str, Any]] = {
    MNISTMaze: {"batches": 2, "grids": [2]},
    SimilarityCuedRecall: {"batches": 2, "pre_recall_lengths": [4]},
    DynamicDependency: {"batches": 2, "pre_recall_lengths": [3]},
}


def equal(one: FrameSequences, other: FrameSequences) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def of_conf(name: str) -> list[dict[str, Any]]:
    content = yaml.safe_load((CONF / f"{name}.yaml").read_text(encoding="utf-8"))
    return content["init_args"]["curriculum"]


def last_stage(make: Make, kind: type[SequenceDataModule], name: str) -> FrameSequences:
    """Sequences after all stages of conf/, of another epoch than the first."""
    stages = of_conf(name)
    task = make(kind, curriculum=stages, batch_size=32)
    end = sum(stage["batches"] for stage in stages) * 32
    return task.dataset("train").__getitems__(range(end, end + MANY))


@pytest.mark.parametrize("kind", STAGED)
def test_a_stage_is_a_matter_of_the_sequences_number(
    make: Make, kind: type[SequenceDataModule]
) -> None:
    staged = make(kind, curriculum=[STAGED[kind]], batch_size=3).dataset("train")
    plain = make(kind).dataset("train")
    same = [equal(staged[number], plain[number]) for number in (0, 5, 6, 7, 400, 806)]
    assert same == [False, False, True, True, True, True]
    batch = staged.__getitems__([4, 5, 6, 7])
    for row, number in enumerate((4, 5, 6, 7)):
        assert equal(FrameSequences(*(field[row] for field in batch)), staged[number])


@pytest.mark.parametrize("kind", STAGED)
def test_validation_and_test_have_no_stages(make: Make, kind: type[SequenceDataModule]) -> None:
    staged, plain = make(kind, curriculum=[STAGED[kind]]), make(kind)
    assert staged.data_record() == plain.data_record()
    assert staged.sha256("val") == plain.sha256("val")


@pytest.mark.parametrize("none", [None, []])
@pytest.mark.parametrize("kind", STAGED)
def test_training_without_a_curriculum_is_a_setting(
    make: Make, kind: type[SequenceDataModule], none: list | None
) -> None:
    one, other = (make(kind, **settings) for settings in ({"curriculum": none}, {}))
    assert equal(one.dataset("train")[0], other.dataset("train")[0])
    assert one.dataset("train").writers.stages == ()


@pytest.mark.parametrize("workers", [0, 2])
def test_processes_meet_the_stages_together(
    make: Make, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    """Two processes train on twice as many sequences a batch, and end a stage in the same one."""
    stage = {"batches": 2, "grids": [2]}
    small = []
    for rank in (0, 1):
        monkeypatch.setattr(MNISTMaze, "_process", lambda self, rank=rank: (rank, 2))
        maze = make(MNISTMaze, curriculum=[stage], batch_size=8, num_workers=workers, train_size=64)
        batches = list(maze.train_dataloader())
        assert [batch.episode[0].item() for batch in batches] == [rank + 16 * n for n in range(4)]
        small.append([batch.place.max().item() < 4 for batch in batches])
    assert small == [[True, True, False, False]] * 2


def test_the_last_stage_of_dynamic_dependency_is_the_test(make: Make) -> None:
    batch = last_stage(make, DynamicDependency, "dynamic_dependency")
    first, late = batch.recalled_from[:, :20], batch.recalled_from[:, 20:]
    assert (first == -1).all() and (late >= 0).all(), "all have its form, and no late digit is new"
    addresses = Counter(late.flatten().tolist())
    shares = [addresses[address] / late.numel() for address in range(10)]
    assert sum(shares) == pytest.approx(1)
    # Digits, and with them addresses, are not quite equally frequent.
    assert min(shares) > 0.08 and max(shares) < 0.12


def test_the_last_stage_of_similarity_cued_recall_is_the_test(make: Make) -> None:
    batch = last_stage(make, SimilarityCuedRecall, "similarity_cued_recall")
    assert torch.equal(batch.place[:, :20], torch.arange(20).expand(MANY, -1))
    run = batch.place[:, 20:]
    assert torch.equal(run, run[:, :1] + torch.arange(5))
    assert (batch.recalled_from[:, :21] == -1).all() and (batch.recalled_from[:, 21:] >= 0).all()


def test_the_last_stage_of_the_maze_is_the_test(make: Make) -> None:
    batch = last_stage(make, MNISTMaze, "maze")
    starts = torch.bincount(batch.place[:, 0], minlength=16)
    assert len(starts) == 16
    assert ((starts - MANY / 16).square() / (MANY / 16)).sum() < 37.7, "chi-square, 15 df, 0.1 %"


def test_training_says_what_it_begins_with(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr("datamodules.frames.scripted.rank_zero_info", said.append)
    make(MNISTMaze, curriculum=[STAGED[MNISTMaze]]).setup("fit")
    make(MNISTMaze).setup("fit")
    assert said == [
        "curriculum: the first 2 training batches come from its one stage; all later ones have the "
        "test's form"
    ]
