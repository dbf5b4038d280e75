"""The choice of steps of a long sequence that are drawn."""

import torch
from torch import Tensor


def chosen_steps(with_context: Tensor, count: int) -> list[int]:
    """Choose steps, counted from 0, with and without a context, both spread over the sequence.

    Half of the steps have no context, if there are that many; a short sequence is drawn whole.

    Args:
        with_context: [T] bool.
        count: how many steps.
    """
    bare, given = ((with_context == which).nonzero().flatten() for which in (False, True))
    without = min(len(bare), max(count // 2, count - len(given)))
    return sorted(spread(bare, without) + spread(given, count - without))


def spread(values: Tensor, count: int) -> list[int]:
    """Take ``count`` of the values [N], from the first to the last, or all if there are fewer."""
    places = torch.linspace(0, len(values) - 1, min(count, len(values))).round().long()
    return values[places].tolist()
