"""DNC's write, or write and read, including the linear maps, as one operator.

A step of ``memory_cores/dnc.py`` is a hundred small operators. Their call overhead equals the work
itself if compiled, and is many times larger if not. ``dnc_write.h`` and ``dnc_read.h`` process each
sequence separately, for one write head and full links.
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
        item: [B, I], control and item, in any float type.
        interface: maps ``item`` to [B, 3 W + 3 + R].

    Returns:
        The new memory, usage, precedence, link and write weights.
    """
    inputs = present, item, interface.weight, interface.bias
    *outputs, _ = torch.ops.dnc_kernel.write(*alike(*state, *inputs))
    return tuple(outputs)


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
        control: [B, C], in any float type.
        read_interface: maps ``control`` to [B, R (W + 4)].

    Returns:
        The outputs of ``write``, then the reads [B, R W] and the read weights.
    """
    to_write = present, item, write_interface.weight, write_interface.bias
    to_read = control, read_interface.weight, read_interface.bias
    *outputs, _, _ = torch.ops.dnc_kernel.step(*alike(*state, *to_write, *to_read))
    return tuple(outputs)
