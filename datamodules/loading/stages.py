"""Curricula: stages at the start of training, each with its end.

A sequence's stage depends only on its id, which counts across epochs, devices and interruptions, so
that resumed training has the same stages as uninterrupted training. Ends count batches over all
devices.
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
        kind: typed dictionary with a stage's keys, which include `batches`.
        stages: as written by the user.

    Raises:
        ValueError: a key is missing or unknown, or there are no batches; the message names it.
    """
    for number, stage in enumerate(stages):
        require_keys(kind.__annotations__, **{f"curriculum[{number}]": stage})
        require_at_least(1, **{f"curriculum[{number}].batches": stage["batches"]})


def staged(
    stages: Sequence[Mapping[str, Any]], rules: Sequence[Rule], batch_size: int
) -> Stages[Rule]:
    """Pair the rule of each stage with the number of the first sequence after it.

    Args:
        stages: one after the other.
        rules: one per stage.
        batch_size: sequences per batch, over all devices.
    """
    ends = accumulate(stage["batches"] * batch_size for stage in stages)
    return tuple(zip(ends, rules, strict=True))


def rule_at(stages: Stages[Rule], last: Rule, episode: int) -> Rule:
    """Return the rule of the sequence with this number; after all stages, the last one."""
    return next((rule for end, rule in stages if episode < end), last)


def announcement(stages: Sequence[Mapping[str, Any]], later: str, steps: int) -> str:
    """Describe the length of the stages, and whether training ends within them.

    Args:
        stages: one after the other.
        later: end of the sentence, about what comes after them.
        steps: training steps; negative if unlimited.
    """
    batches = sum(stage["batches"] for stage in stages)
    each = "one stage" if len(stages) == 1 else f"{len(stages)} stages"
    if 0 <= steps <= batches:
        later = f"; training ends within them, after {steps:,} steps (trainer.max_steps)"
    return f"curriculum: the first {batches:,} training batches come from its {each}{later}"
