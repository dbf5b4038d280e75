"""Training that begins with shorter sequences: which sequences they are, and bad settings."""

from typing import Any

import numpy as np
import pytest
import torch

from datamodules import DriftingFunctions, FunctionDataModule, MovingDigits
from datamodules.points.curriculum import Stage

SIZES = {"train_size": 8, "val_size": 2, "test_size": 2, "batch_size": 4, "num_workers": 0}
REGIME = {"regime": "transfer", "sequence_length": 5, "context_steps": 2, "contexts": (2, 4)}
STAGES: list[Stage] = [
    {
        "batches": 1,
        "sequence_length": 2,
        "context_steps": 1,
        "contexts": [7, 9],
        "most_points": 12,
    },
    {
        "batches": 2,
        "sequence_length": 3,
        "context_steps": 3,
        "contexts": [1, 1],
        "most_points": 15,
    },
]
KINDS = [DriftingFunctions, MovingDigits]


def make(
    kind: type[FunctionDataModule], stages: list[Any] | None, **settings: str
) -> FunctionDataModule:
    source = {"source": "mnist5k"} if kind is MovingDigits else {}
    data = kind(**SIZES, **{**REGIME, **settings}, most_points=6, curriculum=stages, **source)
    data.prepare_data()
    data.setup()
    return data


@pytest.mark.parametrize("kind", KINDS)
def test_training_goes_through_the_stages(kind: type[FunctionDataModule]) -> None:
    loader = make(kind, STAGES).train_dataloader()
    first = list(loader)
    loader.sampler.start = lambda: 8  # two epochs of two batches
    batches = [*first, *loader]
    assert [b.context_x.shape[1:3] for b in batches] == [(2, 9), (3, 1), (3, 1), (5, 4)]
    assert [b.target_x.shape[2] for b in batches] == [12, 15, 15, 6]
    sizes = [b.context_mask.sum(2) for b in batches]
    assert (sizes[0][:, 0] >= 7).all() and (sizes[0][:, 1] == 0).all(), "transfer: the first step"
    assert (sizes[1] == 1).all()
    assert (sizes[3][:, :2] >= 2).all() and (sizes[3][:, 2:] == 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_sparse_stage_has_its_contexts_anywhere(kind: type[FunctionDataModule]) -> None:
    batch = next(iter(make(kind, STAGES, regime="sparse").train_dataloader()))
    shown = batch.context_mask.any(2)
    assert shown.shape == (4, 2) and (shown.sum(1) == 1).all()
    assert shown.any(0).all(), "some sequences have theirs in the first step, some in the second"


@pytest.mark.parametrize("kind", KINDS)
def test_sequences_of_a_stages_batch_share_sizes_in_the_paper(
    kind: type[FunctionDataModule],
) -> None:
    for protocol, alike in {"paper": True, "strict": False}.items():
        batch = next(iter(make(kind, STAGES, protocol=protocol).train_dataloader()))
        assert batch.context_mask.shape[1] == 2, "the first stage's"
        sizes = torch.cat([batch.context_mask.sum(2), batch.target_mask.sum(2)], 1)
        assert (sizes == sizes[0]).all().item() == alike


@pytest.mark.parametrize("regime", ["sparse", "transfer"])
@pytest.mark.parametrize(
    ("protocol", "contexts", "most"), [("strict", {7, 8, 9}, 12), ("paper", {7, 8}, 11)]
)
def test_a_stages_sizes_reach_their_upper_ends_in_the_strict_protocol(
    protocol: str, contexts: set[int], most: int, regime: str
) -> None:
    data = make(DriftingFunctions, STAGES, protocol=protocol, regime=regime)
    sets, rng = data.point_recipe("train").at(0).sets, np.random.default_rng(0)
    drawn = [sets.sizes(rng) for _ in range(300)]
    shown, others = (np.concatenate(parts) for parts in zip(*drawn, strict=True))
    assert set(shown) == {0} | contexts
    totals = (shown + others)[shown > 0]
    assert (totals.min(), totals.max()) == (8, most) and others.max() == most


@pytest.mark.parametrize("kind", KINDS)
def test_only_training_has_stages(kind: type[FunctionDataModule]) -> None:
    staged, plain = make(kind, STAGES), make(kind, None)
    for split in ("val", "test"):
        one, other = (data.dataset(split).__getitems__([0, 1]) for data in (staged, plain))
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    # After the last stage, too, sequences are those that there were without it.
    one, other = (data.dataset("train").__getitems__([12, 13]) for data in (staged, plain))
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"batches": 0}, r"curriculum\[1\].batches must be at least 1, got 0"),
        ({"sequence_length": 0}, r"curriculum\[1\].sequence_length must be at least 1, got 0"),
        ({"sequence_length": 6}, r"curriculum\[1\].sequence_length must be at most 5, got 6"),
        ({"context_steps": 4}, r"curriculum\[1\].context_steps must be at most 3, got 4"),
        ({"contexts": [5]}, r"curriculum\[1\].contexts must be two numbers, got \[5\]"),
        ({"contexts": [0, 2]}, r"curriculum\[1\].contexts must be an interval that starts at 1"),
        ({"contexts": [3, 2]}, r"curriculum\[1\].contexts must be an interval that starts at 1"),
        ({"most_points": 1}, r"curriculum\[1\].most_points must be at least 2, got 1"),
        ({"most_points": 101}, r"curriculum\[1\].most_points must be at most 100, got 101"),
    ],
)
def test_bad_stage_is_named(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(DriftingFunctions, [STAGES[0], STAGES[1] | wrong])


@pytest.mark.parametrize("key", Stage.__annotations__)
def test_a_stage_has_all_keys_and_no_others(key: str) -> None:
    lacking = {other: value for other, value in STAGES[1].items() if other != key}
    keys = "batches, sequence_length, context_steps, contexts, most_points"
    for stage, got in ((lacking, f"no {key}"), (STAGES[1] | {"foo": 1}, "an unknown foo")):
        with pytest.raises(ValueError) as error:
            make(DriftingFunctions, [STAGES[0], stage])
        assert str(error.value) == f"curriculum[1] must have the keys {keys}, got {got}"
