"""Selection of the steps of a long sequence that are drawn."""

import torch
from torch import Tensor


def chosen_steps(with_context: Tensor, count: int) -> list[int]:
    """Choose steps, from 0, with and without a context, both spread over the sequence.

    Half of them have no context, if there are that many; all steps of a short sequence are chosen.

    Args:
        with_context: [T] bool.
        count: number of steps.
    """
    absent, present = ((with_context == value).nonzero().flatten() for value in (False, True))
    without = min(len(absent), max(count // 2, count - len(present)))
    return sorted(spread(absent, without) + spread(present, count - without))


def spread(values: Tensor, count: int) -> list[int]:
    """Return ``count`` evenly spaced values of [N], including both ends; all if there are fewer."""
    places = torch.linspace(0, len(values) - 1, min(count, len(values))).round().long()
    return values[places].tolist()
