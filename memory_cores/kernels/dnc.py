"""A DNC's write, or its write and read, with the linear maps that ask for them, as one operator.

A step of ``memory_cores/dnc.py`` is a hundred small operators. Calling them takes as long as they
do where they are compiled, and many times as long where not. ``dnc_write.h`` and ``dnc_read.h``
take each sequence by itself, for one write head and links of all slots.
"""

import torch
from torch import Tensor, nn

from memory_cores.kernels import building


def serves(memory: Tensor, interface: nn.Linear) -> bool:
    """Whether the operators are in use, and know such a step: on a CPU, of one kind of float."""
    if not (building.are_in_use() and memory.is_cpu):
        return False
    return memory.dtype == interface.weight.dtype and memory.dtype in (torch.float32, torch.float64)


def write(
    state: tuple[Tensor, ...], present: Tensor, item: Tensor, interface: nn.Linear
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Write a step.

    Args:
        state: a ``DNCState`` of one write head: memory [B, N, W], usage [B, N], precedence
            [B, 1, N], link [B, 1, N, N], write weights [B, 1, N], read weights [B, R, N].
        present: [B, 1], 0 closes the write gate.
        item: [B, I], control and item, whatever their type of float.
        interface: maps it to [B, 3 W + 3 + R].

    Returns:
        The new memory, usage, precedence, link and write weights.
    """
    asked = present, item, interface.weight, interface.bias
    *written, _ = torch.ops.dnc_kernel.write(*_alike(*state, *asked))
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
        present: likewise.
        item: likewise.
        write_interface: likewise.
        control: [B, C], whatever its type of float.
        read_interface: maps it to [B, R (W + 4)].

    Returns:
        What ``write`` returns, then what is read, [B, R W], and the read weights.
    """
    to_write = present, item, write_interface.weight, write_interface.bias
    to_read = control, read_interface.weight, read_interface.bias
    *taken, _, _ = torch.ops.dnc_kernel.step(*_alike(*state, *to_write, *to_read))
    return tuple(taken)


def _alike(*tensors: Tensor) -> tuple[Tensor, ...]:
    """The tensors, contiguous, in the type of the first, the memory, which autocast does not lower.

    So the linear maps are of that type, too.
    """
    kind = tensors[0].dtype
    alike = (tensor if tensor.dtype is kind else tensor.to(kind) for tensor in tensors)
    return tuple(tensor.contiguous() for tensor in alike)
