"""Checks trainer settings that Lightning accepts although they make no sense."""

from collections.abc import Callable
from math import isfinite
from typing import Any, NamedTuple

from jsonargparse import Namespace

from lightning_modules.command_line.usage_error import UsageError

#: Largest seed that numpy accepts.
LARGEST_SEED = 2**32 - 1


class Rule(NamedTuple):
    """A constraint on a number, in words and as a predicate."""

    valid: str
    holds: Callable[[float], bool]


AT_LEAST_0 = Rule("at least 0", lambda value: value >= 0)
AT_LEAST_1 = Rule("at least 1", lambda value: value >= 1)
LIMIT = Rule("at least 1, or -1 for no limit", lambda value: value >= 1 or value == -1)
SOME_BATCHES = Rule("above 0: a number of batches, or a share of them", lambda value: value > 0)
RULES = {
    # 0 disables clipping.
    "gradient_clip_val": Rule("at least 0", lambda value: value >= 0 and isfinite(value)),
    "accumulate_grad_batches": AT_LEAST_1,
    "log_every_n_steps": AT_LEAST_0,
    "max_steps": LIMIT,
    "max_epochs": LIMIT,
    "min_steps": AT_LEAST_0,
    "min_epochs": AT_LEAST_0,
    "check_val_every_n_epoch": AT_LEAST_1,
    "limit_train_batches": SOME_BATCHES,
    "num_nodes": AT_LEAST_1,
    "num_sanity_val_steps": Rule("at least 0, or -1 for all", lambda value: value >= -1),
    "reload_dataloaders_every_n_epochs": AT_LEAST_0,
}


def require_sensible(trainer: Namespace) -> None:
    """Reject values that train nothing, never end, or train in the wrong direction.

    Args:
        trainer: the trainer's settings.

    Raises:
        UsageError: a value is invalid; the message names setting, value and what is valid.
    """
    for name, rule in RULES.items():
        value = trainer.get(name)
        if _is_number(value) and not rule.holds(value):
            raise UsageError(f"trainer.{name} must be {rule.valid}, got {value}")
    interval = trainer.get("val_check_interval")
    # A float is a fraction of an epoch; times are not numbers, and Lightning checks them.
    share = isinstance(interval, float)
    if _is_number(interval) and not (0 < interval <= 1 if share else interval >= 1):
        valid = "at least 1 step, or a share of an epoch above 0 and up to 1.0"
        raise UsageError(f"trainer.val_check_interval must be {valid}, got {interval}")


def require_seed(seed: Any) -> None:
    """Reject a seed that numpy does not accept.

    Raises:
        UsageError: it is negative or too large.
    """
    if _is_number(seed) and not 0 <= seed <= LARGEST_SEED:
        raise UsageError(f"seed_everything must be from 0 to {LARGEST_SEED}, got {seed}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
