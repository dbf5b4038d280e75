"""Checks of settings, all with one form of message: "<setting> must be ..., got <value>".

Checks take the limit first, then settings by name. `memory_cores.parts.checks` has the same
for memory cores; neither package imports the other.
"""

from collections.abc import Collection


def require_at_least(minimum: float, **settings: float) -> None:
    """Raise a ValueError that names the first setting below ``minimum``."""
    for name, value in settings.items():
        if not value >= minimum:  # also rejects NaN
            raise ValueError(f"{name} must be at least {minimum}, got {value}")


def require_at_most(maximum: float, **settings: float) -> None:
    """Raise a ValueError that names the first setting above ``maximum``."""
    for name, value in settings.items():
        if not value <= maximum:
            raise ValueError(f"{name} must be at most {maximum}, got {value}")


def require_positive(**settings: float) -> None:
    """Raise a ValueError that names the first setting that is not above 0."""
    for name, value in settings.items():
        if not value > 0:
            raise ValueError(f"{name} must be above 0, got {value}")


def require_interval(minimum: float, **settings: tuple[float, float]) -> None:
    """Raise a ValueError unless intervals start at ``minimum`` or above and are ordered."""
    for name, interval in settings.items():
        low, high = interval
        if not minimum <= low <= high:
            raise ValueError(
                f"{name} must be an interval that starts at {minimum} or above, its lower end "
                f"first, got {interval}"
            )


def require_lengths(minimum: int, maximum: int, **settings: list[int]) -> None:
    """Raise a ValueError unless a setting lists lengths of at least ``minimum``.

    Lengths above ``maximum`` are allowed but ignored; at least one must remain.
    """
    for name, lengths in settings.items():
        if not (lengths and minimum <= min(lengths) <= maximum):
            raise ValueError(
                f"{name} must be lengths of at least {minimum}, one of them at most {maximum}, "
                f"got {lengths}"
            )


def require_one_of(choices: Collection[str], **settings: str) -> None:
    """Raise a ValueError that names the first setting that is not one of the choices."""
    for name, value in settings.items():
        if value not in choices:
            raise ValueError(f"{name} must be one of {', '.join(choices)}, got {value}")


def require_keys(keys: Collection[str], **settings: Collection[str]) -> None:
    """Raise a ValueError unless a setting has exactly these keys."""
    for name, present in settings.items():
        wrong = [f"no {key}" for key in keys if key not in present]
        wrong += [f"an unknown {key}" for key in present if key not in keys]
        if wrong:
            raise ValueError(f"{name} must have the keys {', '.join(keys)}, got {', '.join(wrong)}")
