"""What training begins with: shorter sequences with larger contexts, before those of the regime."""

from collections.abc import Sequence
from itertools import accumulate
from typing import TypedDict

from datamodules.loading.checks import (
    require_at_least,
    require_at_most,
    require_interval,
    require_keys,
)
from datamodules.points.context_sets import ContextSets


class Stage(TypedDict):
    """A part of training; the regime says whether steps with a context are the first ones."""

    batches: int  #: how many, each of all devices together
    sequence_length: int  #: steps of each
    context_steps: int  #: steps with a context
    contexts: list[int]  #: fewest and most context points of such a step
    most_points: int  #: most context points and other targets of a step


def curriculum_sets(
    stages: Sequence[Stage], regime: ContextSets, points: int, together: int
) -> tuple[tuple[int, ContextSets], ...]:
    """Point sets of each stage, with the number of the first sequence that comes after it.

    Args:
        stages: one after the other.
        regime: what comes after them all; no stage's sequences are longer.
        points: that a function is known at.
        together: sequences of a batch, of all devices together.

    Raises:
        ValueError: a stage's setting is missing, unknown or out of range; the message names it.
    """
    require_stages(stages)
    ends = accumulate(stage["batches"] * together for stage in stages)
    pairs = enumerate(zip(ends, stages, strict=True))
    return tuple((end, _sets(number, stage, regime, points)) for number, (end, stage) in pairs)


def require_stages(stages: Sequence[Stage]) -> None:
    """Raise ValueError where a stage lacks a setting or has an unknown one."""
    for number, stage in enumerate(stages):
        require_keys(f"curriculum[{number}]", stage, Stage.__annotations__)


def _sets(number: int, stage: Stage, regime: ContextSets, points: int) -> ContextSets:
    name = f"curriculum[{number}]."
    if len(stage["contexts"]) != 2:
        raise ValueError(f"{name}contexts must be two numbers, got {stage['contexts']}")
    least, most = stage["contexts"]
    require_at_least(f"{name}batches", stage["batches"], 1)
    require_at_least(f"{name}sequence_length", stage["sequence_length"], 1)
    require_at_most(f"{name}sequence_length", stage["sequence_length"], regime.steps)
    require_at_least(f"{name}context_steps", stage["context_steps"], 0)
    require_at_most(f"{name}context_steps", stage["context_steps"], stage["sequence_length"])
    require_interval(f"{name}contexts", (least, most), 1)
    require_at_least(f"{name}most_points", stage["most_points"], most + 1)
    require_at_most(f"{name}most_points", stage["most_points"], points)
    return ContextSets(
        stage["sequence_length"],
        stage["context_steps"],
        regime.anywhere,
        (least, most),
        stage["most_points"],
        regime.closed,
    )
