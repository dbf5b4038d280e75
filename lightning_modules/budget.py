"""One parameter budget for all models: the controller takes what the memory leaves."""

from collections.abc import Callable, Iterable

import torch
from torch import nn


def controller_size_within(
    budget: int, build: Callable[..., Iterable[nn.Module]], **widths: int
) -> int:
    """Find the largest controller that keeps a model within its budget, by bisection.

    Args:
        budget: parameters of the whole model, at most.
        build: makes the model's parts for a controller's width, and for other ``widths``; called on
            the meta device only, so nothing is allocated and no random number is drawn.
        **widths: settings that alone may be too large for the budget, by their names in ``build``.

    Raises:
        ValueError: not even a controller of one unit fits; the message names what is to blame.
    """

    def parameters(controller_size: int, **others: int) -> int:
        with torch.device("meta"):
            return sum(map(_count, build(controller_size, **{**widths, **others})))

    if (least := parameters(1)) > budget:
        ones = dict.fromkeys(widths, 1)
        for name, value in widths.items():
            if parameters(1, **{name: 1}) <= budget < parameters(1, **{**ones, name: value}):

                def fits_beside(width: int, name: str = name) -> bool:
                    return parameters(1, **{name: width}) <= budget

                most = _largest(fits_beside)
                raise ValueError(
                    f"{name} must be at most {most} within parameter_budget {budget}, got {value}"
                )
        with torch.device("meta"):
            share = _share(build(1, **widths), budget)
        raise ValueError(f"parameter_budget must be at least {least}{share}, got {budget}")
    return _largest(lambda controller_size: parameters(controller_size) <= budget)


def _largest(fits: Callable[[int], bool]) -> int:
    """Find the largest number that fits, given that 1 does and that no larger one fits again."""
    # Doubling first finds a bound above, whatever the sizes; halving the gap then needs few builds.
    found, too_large = 1, 2
    while fits(too_large):
        found, too_large = too_large, 2 * too_large
    while too_large - found > 1:
        middle = (found + too_large) // 2
        found, too_large = (middle, too_large) if fits(middle) else (found, middle)
    return found


def _share(parts: Iterable[nn.Module], budget: int) -> str:
    """Name the memory core if it is larger than the budget by itself, within a sentence."""
    sizes = {name: _count(child) for part in parts for name, child in part.named_children()}
    # Whatever reads it is then large, too.
    large = sizes.get("memory", 0) > budget
    return f", of which the memory core takes {sizes['memory']}" if large else ""


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
