"""Order of items that does not depend on the order within their sets, and rows by index."""

import torch
from torch import Tensor

from memory_cores.core import Items

#: Frequency of the sine in ``shuffled``, high enough to scatter neighbouring items.
FREQUENCY = 100.0


def shuffled(items: Items) -> Items:
    """Order each set by a pseudo-random function of its items, and fill padding with zeros.

    The result does not depend on the order of the inputs, and neighbours in space do not stay
    neighbours.
    """
    content = torch.cat([items.keys, items.values], 2).masked_fill(~items.mask.unsqueeze(2), 0)
    exact = content.detach().to(torch.promote_types(content.dtype, torch.float32))
    # Unequal weights: points whose coordinates have equal sums must not be ties.
    roots = torch.arange(1, exact.shape[2] + 1, device=exact.device).to(exact.dtype).sqrt()
    order = ((exact * roots).sum(2) * FREQUENCY).sin().argsort(1)
    content = rows_at(content, order)
    keys, values = content.split([items.keys.shape[2], items.values.shape[2]], 2)
    return Items(keys, values, items.mask.gather(1, order))


def real_first(items: Items) -> Items:
    """Move padding to the end; real items keep their order."""
    order = (~items.mask).to(torch.uint8).argsort(dim=1, stable=True)
    keys, values = rows_at(items.keys, order), rows_at(items.values, order)
    return Items(keys, values, items.mask.gather(1, order))


def in_order(items: Items) -> Items:
    """Flatten items of all steps, [B, T, N, ...] to [B, T * N, ...], oldest first, padding last."""
    steps = items.mask.shape[:2]
    sets = shuffled(Items(*(part.flatten(0, 1) for part in items)))
    return real_first(Items(*(part.unflatten(0, steps).flatten(1, 2) for part in sets)))


def rows_at(rows: Tensor, index: Tensor) -> Tensor:
    """Gather rows [B, M, W] of [B, N, W] by index [B, M]."""
    return rows.gather(1, index.unsqueeze(2).expand(-1, -1, rows.shape[2]))


def with_rows(rows: Tensor, index: Tensor, new: Tensor) -> Tensor:
    """Scatter new rows [B, M, W] into [B, N, W] by index [B, M], in a single pass over all rows."""
    return rows.scatter(1, index.unsqueeze(2).expand(-1, -1, rows.shape[2]), new.to(rows.dtype))
