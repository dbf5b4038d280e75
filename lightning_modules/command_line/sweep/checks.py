"""Checks of a sweep file; errors name the setting, its value and what is valid."""

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from lightning_modules.command_line.usage_error import UsageError, nearest

Name = TypeVar("Name", bound=str)


def require_known(names: Iterable[Any], valid: Sequence[str], prefix: str = "") -> None:
    """Reject unknown settings, which would have no effect."""
    for name in names:
        if name not in valid:
            near = nearest(str(name), valid)
            raise UsageError(
                f"{prefix}{name}: there is no such setting here{near}\nvalid: {', '.join(valid)}"
            )


def one_of(key: str, value: Any, choices: Iterable[Name]) -> Name:
    """Return a value that must be one of the choices."""
    names = list(choices)
    if value in names:
        return names[names.index(value)]
    near = nearest(str(value), names)
    raise UsageError(f"{key} must be one of {', '.join(names)}, got {value}{near}")


def whole_number(key: str, value: Any, least: int = 1) -> int:
    """Return a value that must be a whole number of at least ``least``."""
    if type(value) is not int or value < least:
        raise UsageError(f"{key} must be a whole number above {least - 1}, got {value}")
    return value
