"""A step of an NTM, write and read, including the linear maps, as one operator."""

import torch
from torch import Tensor, nn

from memory_cores.kernels.building import alike


def step(
    state: tuple[Tensor, ...],
    present: Tensor,
    item: Tensor,
    vectors: nn.Linear,
    addressing: nn.Linear,
    control: Tensor,
    interface: nn.Linear,
) -> tuple[Tensor, ...]:
    """Write a step, then read it.

    Args:
        state: an ``NTMState``: memory [B, N, W], norms and written [B, N], positions and weights
            of the write heads [B, H, N], read weights [B, R, N].
        present: [B, 1], 0 leaves the write heads in place, and writes nothing.
        item: [B, I], control and item, in any float type.
        vectors: maps ``item`` to erase and add vectors [B, 2 H W].
        addressing: maps ``item`` to [B, H (W + 6)].
        control: [B, C], in any float type.
        interface: maps ``control`` to [B, R (W + 6)].

    Returns:
        The new memory, norms, written, positions and weights of the write heads, the reads
        [B, R W], and the read weights. Written has no gradient.
    """
    memory, norms, written, focus, _, reads = state
    to_write = item, vectors.weight, vectors.bias, addressing.weight, addressing.bias
    to_read = control, interface.weight, interface.bias
    start = memory, norms, written, focus, reads, present
    *outputs, _, _, _ = torch.ops.ntm_kernel.step(*alike(*start, *to_write, *to_read))
    return tuple(outputs)
