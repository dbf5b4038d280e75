"""Items in an order that does not depend on how their sets were given, and rows at given places."""

import torch
from torch import Tensor

from memory_cores.core import Items

#: Makes the order of the items of a set (``shuffled``) unlike that of their coordinates.
FREQUENCY = 100.0


def shuffled(items: Items) -> Items:
    """Order each set by a scrambled function of its items, and fill its padding with zeros.

    The result does not depend on the order in which the items came, and neighbours in space do not
    stay neighbours.
    """
    content = torch.cat([items.keys, items.values], 2).masked_fill(~items.mask.unsqueeze(2), 0)
    exact = content.detach().to(torch.promote_types(content.dtype, torch.float32))
    # Square roots of different numbers: no two coordinates make up for one another.
    roots = torch.arange(1, exact.shape[2] + 1, device=exact.device).to(exact.dtype).sqrt()
    order = ((exact * roots).sum(2) * FREQUENCY).sin().argsort(1)
    content = rows_at(content, order)
    keys, values = content.split([items.keys.shape[2], items.values.shape[2]], 2)
    return Items(keys, values, items.mask.gather(1, order))


def real_first(items: Items) -> Items:
    """Move the padding behind the real items, which stay in their order."""
    order = (~items.mask).to(torch.uint8).argsort(dim=1, stable=True)
    keys, values = rows_at(items.keys, order), rows_at(items.values, order)
    return Items(keys, values, items.mask.gather(1, order))


def in_order(items: Items) -> Items:
    """Real items of all steps, [B, T, N, ...] -> [B, T * N, ...], oldest first; then padding."""
    steps = items.mask.shape[:2]
    sets = shuffled(Items(*(part.flatten(0, 1) for part in items)))
    return real_first(Items(*(part.unflatten(0, steps).flatten(1, 2) for part in sets)))


def rows_at(rows: Tensor, index: Tensor) -> Tensor:
    """Rows [B, M, W] of [B, N, W] at places [B, M]."""
    return rows.gather(1, index.unsqueeze(2).expand(-1, -1, rows.shape[2]))


def with_rows(rows: Tensor, index: Tensor, new: Tensor) -> Tensor:
    """Rows [B, N, W] with new ones [B, M, W] at places [B, M]; a single pass over all rows."""
    return rows.scatter(1, index.unsqueeze(2).expand(-1, -1, rows.shape[2]), new.to(rows.dtype))
