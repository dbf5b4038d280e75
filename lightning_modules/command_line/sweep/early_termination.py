"""When runs of a sweep are given up: what a file in W&B's format says of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lightning_modules.command_line.usage_error import UsageError, nearest

TYPE = "hyperband"
SETTINGS = ("type", "min_iter", "max_iter", "s", "eta")
#: The default of both W&B's and Optuna's Hyperband.
ETA = 3


@dataclass(frozen=True)
class EarlyTermination:
    """Runs are judged at validations ``first``, ``first * eta``, ``first * eta**2``, ...

    The best ``1 / eta`` of all that came so far go on. Validations count from 0, as in W&B.

    Args:
        first: where a run is judged first.
        eta: factor between two of these validations.
        end: from here on nothing is judged; None for never.
    """

    first: int
    eta: int
    end: int | None


def read_early_termination(content: Any) -> EarlyTermination | None:
    """Read W&B's ``early_terminate``; either ``min_iter``, or ``max_iter`` and ``s`` say where.

    Raises:
        UsageError: it cannot be followed here.
    """
    if content is None:
        return None
    kind = content.get("type") if isinstance(content, Mapping) else content
    if not isinstance(content, Mapping) or kind != TYPE:
        raise UsageError(f"early_terminate.type must be {TYPE}, got {kind}")
    for name, value in content.items():
        if name not in SETTINGS:
            near, valid = nearest(str(name), SETTINGS), ", ".join(SETTINGS)
            raise UsageError(f"early_terminate.{name}: is not known here{near}\nvalid: {valid}")
        least = 2 if name == "eta" else 1
        if name != "type" and (type(value) is not int or value < least):
            raise UsageError(
                f"early_terminate.{name} must be a whole number of at least {least}, got {value}"
            )
    eta, end = content.get("eta", ETA), content.get("max_iter")
    if end is None:
        if "min_iter" not in content:
            raise UsageError("early_terminate must have min_iter, or max_iter and s")
        return EarlyTermination(content["min_iter"], eta, None)
    if "s" not in content:
        raise UsageError("early_terminate.s: is missing; max_iter needs it")
    firsts = [end // eta**halvings for halvings in range(1, content["s"] + 1)]
    if not firsts[0]:
        raise UsageError(f"early_terminate.max_iter must be at least eta {eta}, got {end}")
    return EarlyTermination(min(filter(None, firsts)), eta, end)
