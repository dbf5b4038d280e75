"""Search for the largest width within a parameter budget."""

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import nn

#: Two widths, equally spaced from 1, for a quadratic estimate.
WIDTHS = 33, 65


def width_within(
    budget: int, build: Callable[..., Iterable[nn.Module]], near: int = 1, **widths: int
) -> int:
    """Find the largest width that keeps a model within its parameter budget.

    Args:
        budget: maximum number of parameters of the whole model.
        build: makes the model's parts for a width, and for other ``widths``; called on the meta
            device only, so nothing is allocated and no random number is drawn.
        near: where to look first; 1 for an estimate from a quadratic through three widths.
        **widths: settings that by themselves may exceed the budget, by their names in ``build``.

    Raises:
        ValueError: not even a width of 1 fits; the message names the cause.
    """

    def parameters(width: int, **overrides: int) -> int:
        with torch.device("meta"):
            return count_parameters(build(width, **{**widths, **overrides}))

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
    """Find the largest number that fits, given that 1 does and that ``fits`` is monotonic.

    Args:
        fits: whether a number above 1 fits.
        near: where to look first.
    """
    # Doubling strides find bounds; bisection then needs few builds.
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


def _estimate(excess: Sequence[int], budget: int) -> int:
    """Estimate a width, assuming that parameters are quadratic in it.

    Args:
        excess: parameters at ``WIDTHS`` beyond those at a width of 1.
        budget: the budget, minus the parameters at a width of 1.
    """
    stride = WIDTHS[0] - 1
    curve = (excess[1] - 2 * excess[0]) / 2
    slope = excess[0] - curve
    root = max(slope**2 + 4 * curve * budget, 0) ** 0.5
    return 1 + int(stride * 2 * budget / (slope + root)) if slope + root > 0 else 1


def count_parameters(parts: Iterable[nn.Module]) -> int:
    """Count the numbers in the parameters of a model's parts."""
    return sum(parameter.numel() for part in parts for parameter in part.parameters())


def _share(parts: Iterable[nn.Module], budget: int) -> str:
    """Return a clause that names the memory core if it exceeds the budget by itself."""
    children = (child for part in parts for child in part.named_children())
    sizes = {name: count_parameters([child]) for name, child in children}
    # A core this large makes its readers large, too.
    large = sizes.get("memory", 0) > budget
    return f", of which the memory core takes {sizes['memory']}" if large else ""
