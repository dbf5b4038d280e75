"""Checks of settings, all with one form of message: "<setting> must be ..., got <value>"."""


def require_at_least(minimum: int, **settings: int) -> None:
    """Raise a ValueError that names the first setting below ``minimum``."""
    for name, value in settings.items():
        if not value >= minimum:
            raise ValueError(f"{name} must be at least {minimum}, got {value}")


def require_positive(**settings: float) -> None:
    """Raise a ValueError that names the first setting not above 0."""
    for name, value in settings.items():
        if not value > 0:
            raise ValueError(f"{name} must be above 0, got {value}")


def require_as_wide_as_keys(query: int, key: int) -> None:
    """Raise a ValueError if queries are used and differ from keys in width."""
    if query not in (0, key):
        raise ValueError(f"queries must be as wide as keys ({key}), got {query}")
