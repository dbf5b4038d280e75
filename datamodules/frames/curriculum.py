"""Curriculum stages of recall tasks: fewer pictures and more recall than in the test."""

from collections.abc import Callable, Sequence
from typing import TypedDict

from datamodules.frames.script import Mixture, ScriptWriter
from datamodules.loading.checks import require_lengths
from datamodules.loading.stages import require_stages


class LengthStage(TypedDict):
    """A part of training, in which every sequence draws its l."""

    batches: int  #: number of batches, each over all devices
    pre_recall_lengths: list[int]  #: choices of l; those above the test's are ignored


def require_length_stages(least: int, most: int, stages: Sequence[LengthStage] | None) -> None:
    """Check the stages of a recall task.

    Args:
        least: smallest valid l.
        most: the test's l.
        stages: in order; None for none.

    Raises:
        ValueError: a setting is missing, unknown or out of range; the message names it.
    """
    require_stages(LengthStage, stages or ())
    for number, stage in enumerate(stages or ()):
        name = f"curriculum[{number}].pre_recall_lengths"
        require_lengths(least, most, **{name: stage["pre_recall_lengths"]})


def length_writers(
    stages: Sequence[LengthStage], most: int, writer: Callable[[int], ScriptWriter]
) -> list[ScriptWriter]:
    """Return the rule of each stage, which draws l for every sequence.

    Args:
        stages: one after the other.
        most: the test's l; larger ones are ignored.
        writer: returns the rule for an l.
    """
    lengths = ([n for n in stage["pre_recall_lengths"] if n <= most] for stage in stages)
    return [Mixture(tuple(writer(n) for n in each)) for each in lengths]
