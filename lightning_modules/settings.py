"""Checks of settings, all with one form of message: "<setting> must be ..., got <value>"."""


def require_positive(**settings: float) -> None:
    """Raise a ValueError that names the first setting that is not above 0."""
    for name, value in settings.items():
        if not value > 0:
            raise ValueError(f"{name} must be above 0, got {value}")


def require_not_negative(**settings: float) -> None:
    """Raise a ValueError that names the first setting below 0."""
    for name, value in settings.items():
        if not value >= 0:
            raise ValueError(f"{name} must be at least 0, got {value}")
