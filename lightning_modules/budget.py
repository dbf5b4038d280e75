"""One parameter budget for all models: the controller takes what the memory leaves."""

from collections.abc import Callable, Iterable

import torch
from torch import nn


def controller_size_within(budget: int, build: Callable[[int], Iterable[nn.Module]]) -> int:
    """Find the largest controller that keeps a model within its budget, by bisection.

    Args:
        budget: parameters of the whole model, at most.
        build: makes the model's parts for a controller's width; called on the meta device only, so
            nothing is allocated and no random number is drawn.

    Raises:
        ValueError: not even a controller of one unit fits.
    """

    def parameters(controller_size: int) -> int:
        with torch.device("meta"):
            return sum(p.numel() for part in build(controller_size) for p in part.parameters())

    if (least := parameters(1)) > budget:
        raise ValueError(f"parameter_budget must be at least {least}, got {budget}")
    # Doubling first finds a bound above, whatever the sizes; halving the gap then needs few builds.
    fits, too_large = 1, 2
    while parameters(too_large) <= budget:
        fits, too_large = too_large, 2 * too_large
    while too_large - fits > 1:
        middle = (fits + too_large) // 2
        fits, too_large = (middle, too_large) if parameters(middle) <= budget else (fits, middle)
    return fits
