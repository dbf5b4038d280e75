"""Curricula: stages that training begins with, each with its end.

A sequence's stage depends on nothing but the sequence's id. The id counts on over epochs, devices
and interruptions, so that a resumed training meets the stages of an uninterrupted one. Ends count
batches of all devices together.
"""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any, TypeVar

from datamodules.loading.checks import require_at_least, require_keys

Rule = TypeVar("Rule")
#: Rules, each with the number of the first sequence after its stage.
Stages = tuple[tuple[int, Rule], ...]


def require_stages(kind: type, stages: Sequence[Mapping[str, Any]]) -> None:
    """Check that each stage has the keys of its kind, and some batches.

    Args:
        kind: typed dictionary that says which keys a stage has; one of them is `batches`.
        stages: as a user wrote them.

    Raises:
        ValueError: a key is missing or unknown, or there are no batches; the message names it.
    """
    for number, stage in enumerate(stages):
        require_keys(kind.__annotations__, **{f"curriculum[{number}]": stage})
        require_at_least(1, **{f"curriculum[{number}].batches": stage["batches"]})


def staged(
    stages: Sequence[Mapping[str, Any]], rules: Sequence[Rule], together: int
) -> Stages[Rule]:
    """Pair the rule of each stage with the number of the first sequence after it.

    Args:
        stages: one after the other.
        rules: of each stage.
        together: sequences of a batch, of all devices together.
    """
    ends = accumulate(stage["batches"] * together for stage in stages)
    return tuple(zip(ends, rules, strict=True))


def rule_at(stages: Stages[Rule], last: Rule, episode: int) -> Rule:
    """Return the rule of the sequence with this number; after all stages, the last one."""
    return next((rule for end, rule in stages if episode < end), last)


def announcement(stages: Sequence[Mapping[str, Any]], later: str, steps: int) -> str:
    """Say how long the stages are, and whether training ends within them.

    Args:
        stages: one after the other.
        later: rest of the sentence, about what comes after them.
        steps: of the training; negative if it has no end.
    """
    batches = sum(stage["batches"] for stage in stages)
    each = "one stage" if len(stages) == 1 else f"{len(stages)} stages"
    if 0 <= steps <= batches:
        later = f"; training ends within them, after {steps:,} steps (trainer.max_steps)"
    return f"curriculum: the first {batches:,} training batches come from its {each}{later}"
