"""Calls of operators that a test counts or looks at."""

from collections.abc import Callable
from typing import Any


def spied(function: Callable[..., Any], calls: list[tuple[Any, ...]]) -> Callable[..., Any]:
    """Return the function, which then notes what it is given."""

    def called(*arguments: Any) -> Any:
        calls.append(arguments)
        return function(*arguments)

    return called
