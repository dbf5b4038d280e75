"""A step of an NTM, its write and its read, with the linear maps before them, as one operator."""

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
        present: [B, 1], 0 leaves the write heads where they are, and writes nothing.
        item: [B, I], control and item, whatever their type of float.
        vectors: maps it to [B, 2 H W]: what is erased, and what is added.
        addressing: maps it to [B, H (W + 6)].
        control: [B, C], likewise.
        interface: maps it to [B, R (W + 6)].

    Returns:
        The new memory, norms, written, positions and weights of the write heads, what is read,
        [B, R W], and the read weights. Written has no gradient.
    """
    memory, norms, written, focus, _, reads = state
    to_write = item, vectors.weight, vectors.bias, addressing.weight, addressing.bias
    to_read = control, interface.weight, interface.bias
    known = memory, norms, written, focus, reads, present
    *taken, _, _, _ = torch.ops.ntm_kernel.step(*alike(*known, *to_write, *to_read))
    return tuple(taken)
