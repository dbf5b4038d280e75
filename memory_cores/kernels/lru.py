"""A step of an LRU core, write and read, including the linear maps, as one operator.

In Python it is a hundred small operators forwards, and more backwards.
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
        usage_decay: factor by which a slot's usage decays in a step.
        present: [B, 1], 0 closes the write gates.
        item: [B, I], control and item, in any float type.
        words: maps ``item`` to [B, R W].
        control: [B, C], in any float type.
        gates: maps ``control`` to [B, R].
        interface: maps ``control`` to [B, R (W + 1)].

    Returns:
        The new memory, usage, written and write weights, the reads [B, R W], and the read weights.
        Usage and written have no gradient.
    """
    to_write = present, item, words.weight, words.bias
    to_read = control, gates.weight, gates.bias, interface.weight, interface.bias
    same = alike(*state, *to_write, *to_read)
    *outputs, _, _, _ = torch.ops.lru_kernel.step(*same[:5], usage_decay, *same[5:])
    return tuple(outputs)
