"""Checks of settings, all with one form of message: "<setting> must be ..., got <value>"."""

from collections.abc import Collection


def require_at_least(setting: str, value: float, least: float) -> None:
    """Raise ValueError where the value is below the least that makes sense."""
    if not value >= least:
        raise ValueError(f"{setting} must be at least {least}, got {value}")


def require_at_most(setting: str, value: int, most: int) -> None:
    """Raise ValueError where the value is above the most that makes sense."""
    if not value <= most:
        raise ValueError(f"{setting} must be at most {most}, got {value}")


def require_lengths(setting: str, values: list[int] | None, least: int, most: int) -> None:
    """Raise ValueError unless there is no list (None), or one of possible lengths.

    A length above the most is possible, and not used; at least one must be used.
    """
    if values is not None and not (values and least <= min(values) <= most):
        raise ValueError(
            f"{setting} must be null or lengths of at least {least}, one of them at most {most}, "
            f"got {values}"
        )


def require_interval(setting: str, interval: tuple[float, float], least: float) -> None:
    """Raise ValueError unless both ends make sense, the lower one first."""
    low, high = interval
    if not least <= low <= high:
        raise ValueError(
            f"{setting} must be an interval that starts at {least} or above, its lower end first, "
            f"got {interval}"
        )


def require_one_of(setting: str, value: str, choices: tuple[str, ...]) -> None:
    """Raise ValueError where the value is not one of the choices."""
    if value not in choices:
        raise ValueError(f"{setting} must be one of {', '.join(choices)}, got {value}")


def require_keys(setting: str, given: Collection[str], keys: Collection[str]) -> None:
    """Raise ValueError unless each of the keys is given, and no other."""
    wrong = [f"no {key}" for key in keys if key not in given]
    wrong += [f"an unknown {key}" for key in given if key not in keys]
    if wrong:
        raise ValueError(f"{setting} must have the keys {', '.join(keys)}, got {', '.join(wrong)}")
