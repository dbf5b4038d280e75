"""DNC's write, or write and read, with the linear maps before them, as one operator.

A step of ``memory_cores/dnc.py`` is a hundred small operators. Their calls take as long as the work
itself where they are compiled, and many times as long where not. ``dnc_write.h`` and ``dnc_read.h``
take each sequence by itself, for one write head and links of all slots.
"""

import torch
from torch import Tensor, nn

from memory_cores.kernels.building import alike


def write(
    state: tuple[Tensor, ...], present: Tensor, item: Tensor, interface: nn.Linear
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Write a step.

    Args:
        state: a ``DNCState`` of one write head: memory [B, N, W], usage [B, N], precedence
            [B, 1, N], link [B, 1, N, N], write weights [B, 1, N], read weights [B, R, N]. Without
            read heads precedence is [B, 0, N], and link [B, 0, N, N].
        present: [B, 1], 0 closes the write gate.
        item: [B, I], control and item, whatever their type of float.
        interface: maps it to [B, 3 W + 3 + R].

    Returns:
        The new memory, usage, precedence, link and write weights.
    """
    asked = present, item, interface.weight, interface.bias
    *written, _ = torch.ops.dnc_kernel.write(*alike(*state, *asked))
    return tuple(written)


def step(
    state: tuple[Tensor, ...],
    present: Tensor,
    item: Tensor,
    write_interface: nn.Linear,
    control: Tensor,
    read_interface: nn.Linear,
) -> tuple[Tensor, ...]:
    """Write a step, then read it.

    Args:
        state: as for ``write``.
        present: as for ``write``.
        item: as for ``write``.
        write_interface: as ``interface`` for ``write``.
        control: [B, C], whatever its type of float.
        read_interface: maps it to [B, R (W + 4)].

    Returns:
        What ``write`` returns, then what is read, [B, R W], and the read weights.
    """
    to_write = present, item, write_interface.weight, write_interface.bias
    to_read = control, read_interface.weight, read_interface.bias
    *taken, _, _ = torch.ops.dnc_kernel.step(*alike(*state, *to_write, *to_read))
    return tuple(taken)
