"""A budget of parameters, of which one width takes what the rest of a model leaves."""

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import nn

#: Two widths, the second as far from the first as that from 1.
WIDTHS = 33, 65


def width_within(
    budget: int, build: Callable[..., Iterable[nn.Module]], near: int = 1, **widths: int
) -> int:
    """Find the largest width that keeps a model within its budget of parameters.

    Args:
        budget: parameters of the whole model, at most.
        build: makes the model's parts for a width, and for other ``widths``; called on the meta
            device only, so nothing is allocated and no random number is drawn.
        near: where to look first; 1: where a quadratic through three widths says.
        **widths: settings that alone may be too large for the budget, by their names in ``build``.

    Raises:
        ValueError: not even a width of 1 fits; the message names what is to blame.
    """

    def parameters(width: int, **others: int) -> int:
        with torch.device("meta"):
            return count_parameters(build(width, **{**widths, **others}))

    if (least := parameters(1)) > budget:
        ones = dict.fromkeys(widths, 1)
        for name, value in widths.items():
            if parameters(1, **{name: 1}) <= budget < parameters(1, **{**ones, name: value}):

                def fits_beside(width: int, name: str = name) -> bool:
                    return parameters(1, **{name: width}) <= budget

                most = largest(fits_beside)
                raise ValueError(
                    f"{name} must be at most {most} within parameter_budget {budget}, got {value}"
                )
        with torch.device("meta"):
            share = _share(build(1, **widths), budget)
        raise ValueError(f"parameter_budget must be at least {least}{share}, got {budget}")
    if near == 1:
        near = _estimate([parameters(width) - least for width in WIDTHS], budget - least)
    return largest(lambda width: parameters(width) <= budget, near)


def largest(fits: Callable[[int], bool], near: int = 1) -> int:
    """Find the largest number that fits, given that 1 does and that no larger one fits again.

    Args:
        fits: tells whether a number above 1 fits.
        near: where to look first.
    """
    # Doubled strides first find bounds, whatever the sizes; halving the gap then needs few builds.
    stride = 1
    if near == 1 or fits(near):
        found, too_large = near, near + 1
        while fits(too_large):
            stride *= 2
            found, too_large = too_large, too_large + stride
    else:
        found, too_large = near - 1, near
        while found > 1 and not fits(found):
            stride *= 2
            found, too_large = max(1, found - stride), found
    while too_large - found > 1:
        middle = (found + too_large) // 2
        found, too_large = (middle, too_large) if fits(middle) else (found, middle)
    return found


def _estimate(more: Sequence[int], rest: int) -> int:
    """Estimate a width: layers between parts of one width have quadratically many parameters.

    Args:
        more: parameters at ``WIDTHS`` beyond those at a width of 1.
        rest: parameters beyond them that there may be.
    """
    stride = WIDTHS[0] - 1
    curve = (more[1] - 2 * more[0]) / 2
    slope = more[0] - curve
    root = max(slope**2 + 4 * curve * rest, 0) ** 0.5
    return 1 + int(stride * 2 * rest / (slope + root)) if slope + root > 0 else 1


def count_parameters(parts: Iterable[nn.Module]) -> int:
    """Count the numbers in the parameters of a model's parts."""
    return sum(parameter.numel() for part in parts for parameter in part.parameters())


def _share(parts: Iterable[nn.Module], budget: int) -> str:
    """Name the memory core if it is larger than the budget by itself, within a sentence."""
    children = (child for part in parts for child in part.named_children())
    sizes = {name: count_parameters([child]) for name, child in children}
    # Whatever reads it is then large, too.
    large = sizes.get("memory", 0) > budget
    return f", of which the memory core takes {sizes['memory']}" if large else ""
