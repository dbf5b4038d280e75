"""A step of an LRU core, its write and its read, with the linear maps before them, as one operator.

In Python it is a hundred small operators, forwards, and more backwards.
"""

import torch
from torch import Tensor, nn

from memory_cores.kernels.building import alike


def step(
    state: tuple[Tensor, ...],
    usage_decay: float,
    present: Tensor,
    item: Tensor,
    words: nn.Linear,
    control: Tensor,
    gates: nn.Linear,
    interface: nn.Linear,
) -> tuple[Tensor, ...]:
    """Write a step, then read it.

    Args:
        state: an ``LRUState``: memory [B, N, W], usage and written [B, N], write and read weights
            [B, R, N].
        usage_decay: share of a slot's usage that is left after a step.
        present: [B, 1], 0 closes the write gates.
        item: [B, I], control and item, whatever their type of float.
        words: maps it to [B, R W].
        control: [B, C], likewise.
        gates: maps it to [B, R].
        interface: maps it to [B, R (W + 1)].

    Returns:
        The new memory, usage, written and write weights, what is read, [B, R W], and the read
        weights. Usage and written have no gradient.
    """
    written = present, item, words.weight, words.bias
    asking = control, gates.weight, gates.bias, interface.weight, interface.bias
    same = alike(*state, *written, *asking)
    *taken, _, _, _ = torch.ops.lru_kernel.step(*same[:5], usage_decay, *same[5:])
    return tuple(taken)
