"""Temporal links with K entries per row, linear in the slots (Rae et al. 2016, supplement D).

Rae et al. store the K strongest links in each row of the link matrix and of its transpose. They
also drop the factor by which a new write to slot j weakens the links from j. It is kept here, as in
Graves et al. 2016: no link is then larger than in the full matrix, so that reads along links still
sum to at most 1, and K = N is exact.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class SparseRows(NamedTuple):
    """K strongest entries of each row of a matrix [B, H, N, N]."""

    slots: Tensor  #: [B, H, N, K] int64, distinct columns
    links: Tensor  #: [B, H, N, K], non-negative


def no_links(shape: tuple[int, int, int, int], like: Tensor) -> SparseRows:
    """Make rows [B, H, N, K] of zeros on the device and in the dtype of ``like``."""
    slots = torch.arange(shape[3], device=like.device)
    return SparseRows(slots.repeat(*shape[:3], 1), like.new_zeros(shape))


def linked_rows(rows: SparseRows, write_weights: Tensor, row: Tensor, column: Tensor) -> SparseRows:
    """Update links to the K strongest of each row, without the diagonal.

    The full row i is ``(1 - w[i] - w[j]) L[i, j] + row[i] * column[j]``.

    Args:
        rows: the previous rows.
        write_weights: [B, H, N].
        row: [B, H, N], write weights for the link matrix, precedence for its transpose.
        column: [B, H, N], the other of the two. Only its K largest entries become links.
    """
    faded = 1 - write_weights.unsqueeze(3) - at_slots(write_weights, rows.slots)
    strongest, columns = column.topk(rows.slots.shape[3], 2)
    columns = columns.unsqueeze(2).expand_as(rows.slots)
    index = torch.arange(row.shape[2], device=row.device).unsqueeze(1)
    new = row.unsqueeze(3) * strongest.unsqueeze(2)
    return strongest_of(
        SparseRows(rows.slots, faded * rows.links),
        SparseRows(columns, new.masked_fill(columns == index, 0)),
    )


def strongest_of(old: SparseRows, new: SparseRows) -> SparseRows:
    """Keep the K strongest entries of the sum of two matrices with K entries in each row."""
    same = old.slots.unsqueeze(4) == new.slots.unsqueeze(3)  # [B, H, N, K, K]
    sums = old.links + (same * new.links.unsqueeze(3)).sum(4)
    # Mask new entries already added to an old one with -1, below any link.
    links = torch.cat([sums, new.links.masked_fill(same.any(3), -1)], 3)
    links, index = links.topk(old.slots.shape[3], 3)
    return SparseRows(torch.cat([old.slots, new.slots], 3).gather(3, index), links)


def at_slots(weights: Tensor, slots: Tensor) -> Tensor:
    """Gather entries [B, H, N, K] of weights [B, H, N]."""
    return weights.gather(2, slots.flatten(2)).view_as(slots)


def stepped(rows: SparseRows, reads: Tensor, modes: Tensor) -> Tensor:
    """Move reads along the links of every write head, and sum them weighted by modes.

    Args:
        rows: [B, H, N, K].
        reads: [B, R, N].
        modes: [B, R, H].
    """
    heads = reads.shape[1]
    linked = reads.gather(2, rows.slots.flatten(1).unsqueeze(1).expand(-1, heads, -1))
    moved = (linked.unflatten(2, rows.slots.shape[1:]) * rows.links.unsqueeze(1)).sum(4)
    return (modes.unsqueeze(3) * moved).sum(2)
