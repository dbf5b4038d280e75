"""Record calls of operators."""

from collections.abc import Callable
from typing import Any


def spied(function: Callable[..., Any], calls: list[tuple[Any, ...]]) -> Callable[..., Any]:
    """Wrap the function to append its arguments to ``calls``."""

    def called(*arguments: Any) -> Any:
        calls.append(arguments)
        return function(*arguments)

    return called
