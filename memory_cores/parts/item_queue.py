"""Queue of the last items, the newest in front, for cores that keep each as it is."""

import torch
from torch import Tensor

from memory_cores.core import Weightings


def pushed(held: Tensor, new: Tensor, mask: Tensor, filled: Tensor, grows: bool = False) -> Tensor:
    """Put new rows in front of those held, and drop what has no room.

    Args:
        held: [B, N, W], of which the first ``filled`` count.
        new: [B, I, W], newest first.
        mask: [B, I] bool, False for padding, which is not put anywhere.
        filled: [B, N] bool.
        grows: make room for all of them.

    Returns:
        held: [B, N, W], or [B, N + I, W].
    """
    N = held.shape[1] + grows * new.shape[1]
    if new.shape[1] == 1 and not grows:  # the usual case inside a loop over time
        return torch.where(mask.unsqueeze(2), torch.cat([new, held[:, :-1]], 1), held)
    rows = torch.cat([new, held], 1)
    order = (~torch.cat([mask, filled], 1)).to(torch.uint8).argsort(dim=1, stable=True)[:, :N]
    return rows.gather(1, order.unsqueeze(2).expand(-1, -1, rows.shape[2]))


def by_item(read_weights: Tensor, written: Tensor, wrote: Tensor) -> Weightings:
    """Return weights by slots that keep their item, so that a plot can follow it.

    The c-th item, counted from 0, is in slot c mod N, while its position in the queue moves on.

    Args:
        read_weights: [B, R, N], by position.
        written: [B, 1] int64, items so far.
        wrote: [B, 1], items of the last step, of which each has its share.
    """
    N = read_weights.shape[2]
    slots = torch.arange(N, device=written.device)
    positions = ((written - 1 - slots) % N).unsqueeze(1)
    share = (positions < wrote.unsqueeze(2)) / wrote.unsqueeze(2).clamp(min=1, max=N)
    return Weightings(
        read=read_weights.gather(2, positions.expand(-1, read_weights.shape[1], -1)),
        write=share.to(read_weights.dtype),
    )
