"""Stages of a curriculum: which sequence is in which, and settings that are refused."""

from typing import TypedDict

import pytest

from datamodules.loading.stages import announcement, require_stages, rule_at, staged


class Kind(TypedDict):
    batches: int
    size: int


STAGES = [{"batches": 2, "size": 5}, {"batches": 1_000, "size": 6}]


def test_ends_count_batches_of_all_devices() -> None:
    stages = staged(STAGES, ["small", "large"], batch_size=12)
    assert stages == ((24, "small"), (12_024, "large"))
    found = [rule_at(stages, "full", episode) for episode in (0, 23, 24, 12_023, 12_024, 10**9)]
    assert found == ["small", "small", "large", "large", "full", "full"]


def test_without_stages_all_sequences_are_like_the_last() -> None:
    assert rule_at(staged([], [], batch_size=3), "full", 0) == "full"


def test_it_says_how_long_the_stages_are() -> None:
    said = "curriculum: the first 1,002 training batches come from its 2 stages"
    ends = "; training ends within them, after 1,002 steps (trainer.max_steps)"
    for steps, end in ((-1, ", then"), (1_003, ", then"), (1_002, ends)):
        assert announcement(STAGES, ", then", steps) == said + end
    one = "curriculum: the first 2 training batches come from its one stage"
    assert announcement(STAGES[:1], "", -1) == one


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"batches": 0, "size": 5}, "curriculum[1].batches must be at least 1, got 0"),
        ({"size": 5}, "curriculum[1] must have the keys batches, size, got no batches"),
        (
            {"batches": 1, "size": 5, "sise": 6},
            "curriculum[1] must have the keys batches, size, got an unknown sise",
        ),
    ],
)
def test_a_wrong_stage_is_named(wrong: dict, message: str) -> None:
    with pytest.raises(ValueError) as error:
        require_stages(Kind, [STAGES[0], wrong])
    assert str(error.value) == message
