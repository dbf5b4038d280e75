"""Stages at the start of training: shorter sequences with larger contexts than the regime's."""

from collections.abc import Sequence
from typing import Any, TypedDict

from datamodules.loading.checks import require_at_least, require_at_most, require_interval
from datamodules.loading.stages import Stages, require_stages, staged
from datamodules.points.context_sets import ContextSets


class Stage(TypedDict):
    """A part of training; the regime determines whether steps with a context come first."""

    batches: int  #: number of batches, each over all devices
    sequence_length: int  #: steps per sequence
    context_steps: int  #: steps with a context
    contexts: list[int]  #: minimum and maximum number of context points of such a step
    most_points: int  #: maximum number of context points and other targets of a step


def curriculum_sets(
    stages: Sequence[Stage], regime: ContextSets, points: int, batch_size: int
) -> Stages[ContextSets]:
    """Return each stage's rule for point sets, with the number of the first sequence after it.

    Args:
        stages: one after the other.
        regime: the rule after all stages, whose sequences are no longer than its.
        points: number of points at which a function is known.
        batch_size: sequences per batch, over all devices.

    Raises:
        ValueError: a stage's setting is missing, unknown or out of range; the message names it.
    """
    require_stages(Stage, stages)
    sets = [_sets(number, stage, regime, points) for number, stage in enumerate(stages)]
    return staged(stages, sets, batch_size)


def _sets(number: int, stage: Stage, regime: ContextSets, points: int) -> ContextSets:
    if len(stage["contexts"]) != 2:
        contexts = stage["contexts"]
        raise ValueError(f"curriculum[{number}].contexts must be two numbers, got {contexts}")
    least, most = stage["contexts"]
    # Messages name settings by their full key.
    settings: dict[str, Any] = {**stage, "contexts": (least, most)}
    named = {key: {f"curriculum[{number}].{key}": value} for key, value in settings.items()}
    require_at_least(1, **named["sequence_length"])
    require_at_most(regime.steps, **named["sequence_length"])
    require_at_least(0, **named["context_steps"])
    require_at_most(stage["sequence_length"], **named["context_steps"])
    require_interval(1, **named["contexts"])
    require_at_least(most + 1, **named["most_points"])
    require_at_most(points, **named["most_points"])
    return ContextSets(
        stage["sequence_length"],
        stage["context_steps"],
        regime.anywhere,
        (least, most),
        stage["most_points"],
        regime.closed,
    )
