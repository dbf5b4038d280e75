"""Early termination of runs: the rules in a sweep file in W&B's format."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from lightning_modules.command_line.sweep.checks import require_known, whole_number
from lightning_modules.command_line.usage_error import UsageError

TYPE = "hyperband"
SETTINGS = ("type", "min_iter", "max_iter", "s", "eta")
#: W&B's default.
ETA = 3


class EarlyTermination(NamedTuple):
    """Rules that judge runs at validations ``first``, ``first * eta``, ``first * eta**2``, ...

    The best ``1 / eta`` of those that got there continue. Validations count from 0, as in W&B.
    """

    first: int
    eta: int
    end: int | None  #: no run is judged from this validation on


def read_early_termination(content: Any) -> EarlyTermination | None:
    """Read W&B's ``early_terminate``, with either ``min_iter``, or ``max_iter`` and ``s``.

    Raises:
        UsageError: it is invalid or not supported.
    """
    if content is None:
        return None
    kind = content.get("type") if isinstance(content, Mapping) else content
    if kind != TYPE or not isinstance(content, Mapping):
        raise UsageError(f"early_terminate.type must be {TYPE}, got {kind}; W&B has no other")
    require_known(content, SETTINGS, "early_terminate.")
    limits = {
        name: whole_number(f"early_terminate.{name}", content[name], 2 if name == "eta" else 1)
        for name in SETTINGS[1:]
        if name in content
    }
    eta, end = limits.get("eta", ETA), limits.get("max_iter")
    if end is not None and "s" in limits:
        firsts = [end // eta**halvings for halvings in range(1, limits["s"] + 1)]
        if not firsts[0]:
            raise UsageError(f"early_terminate.max_iter must be at least eta {eta}, got {end}")
        return EarlyTermination(min(filter(None, firsts)), eta, end)
    if end is not None or "min_iter" not in limits:
        raise UsageError("early_terminate must have min_iter, or max_iter and s")
    return EarlyTermination(limits["min_iter"], eta, None)
