"""Queue of the last items, newest first, for cores that store items uncompressed."""

import torch
from torch import Tensor

from memory_cores.core import Weightings


def pushed(queue: Tensor, new: Tensor, mask: Tensor, filled: Tensor, grows: bool = False) -> Tensor:
    """Push new rows to the front of a queue, and drop those without room.

    Args:
        queue: [B, N, W], newest first.
        new: [B, I, W], newest first.
        mask: [B, I] bool, False for padding, which is skipped.
        filled: [B, N] bool, True for rows in use.
        grows: make room for all new rows.

    Returns:
        queue: [B, N, W], or [B, N + I, W] if it grows.
    """
    N = queue.shape[1] + grows * new.shape[1]
    if new.shape[1] == 1 and not grows:  # the usual case in a loop over time
        return torch.where(mask.unsqueeze(2), torch.cat([new, queue[:, :-1]], 1), queue)
    rows = torch.cat([new, queue], 1)
    order = (~torch.cat([mask, filled], 1)).to(torch.uint8).argsort(dim=1, stable=True)[:, :N]
    return rows.gather(1, order.unsqueeze(2).expand(-1, -1, rows.shape[2]))


def by_item(read_weights: Tensor, written: Tensor, wrote: Tensor) -> Weightings:
    """Return weights over slots in which each item keeps its place, for plots to follow it.

    The c-th item, counted from 0, is in slot c mod N, while its position in the queue moves on.

    Args:
        read_weights: [B, R, N], by position.
        written: [B, 1] int64, items so far.
        wrote: [B, 1], items of the last step, which share the write weight.
    """
    N = read_weights.shape[2]
    slots = torch.arange(N, device=written.device)
    positions = ((written - 1 - slots) % N).unsqueeze(1)
    share = (positions < wrote.unsqueeze(2)) / wrote.unsqueeze(2).clamp(min=1, max=N)
    return Weightings(
        read=read_weights.gather(2, positions.expand(-1, read_weights.shape[1], -1)),
        write=share.to(read_weights.dtype),
    )
