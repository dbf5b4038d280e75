"""Temporal links of K entries a row, linear in the slots (Rae et al. 2016, supplement D).

Rae et al. keep the link matrix and its transpose, each by rows, and of each row the K strongest
links. They also drop the factor by which a new write to slot j weakens what followed slot j before;
here it stays, as in Graves et al. 2016: every kept link is then at most the full matrix's, so that
reads along links still sum to at most 1, and with K = N the two are the same.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class SparseRows(NamedTuple):
    """N rows of a matrix [B, H, N, N] by their K strongest entries."""

    slots: Tensor  #: [B, H, N, K] int64, different columns
    links: Tensor  #: [B, H, N, K], non-negative


def no_links(shape: tuple[int, int, int, int], like: Tensor) -> SparseRows:
    """Rows [B, H, N, K] of zeros on the device and in the dtype of ``like``."""
    slots = torch.arange(shape[3], device=like.device)
    return SparseRows(slots.repeat(*shape[:3], 1), like.new_zeros(shape))


def linked_rows(rows: SparseRows, write_weights: Tensor, row: Tensor, column: Tensor) -> SparseRows:
    """The K strongest of each row of ``(1 - w[i] - w[j]) L[i, j] + row[i] * column[j]``, i != j.

    Args:
        rows: of the step before.
        write_weights: [B, H, N].
        row: [B, H, N], the write weights for the link matrix, precedence for its transpose.
        column: [B, H, N], the other one. Only its K largest entries can become links.
    """
    faded = 1 - write_weights.unsqueeze(3) - at_slots(write_weights, rows.slots)
    strongest, columns = column.topk(rows.slots.shape[3], 2)
    columns = columns.unsqueeze(2).expand_as(rows.slots)
    itself = torch.arange(row.shape[2], device=row.device).unsqueeze(1)
    new = row.unsqueeze(3) * strongest.unsqueeze(2)
    return strongest_of(
        SparseRows(rows.slots, faded * rows.links),
        SparseRows(columns, new.masked_fill(columns == itself, 0)),
    )


def strongest_of(old: SparseRows, new: SparseRows) -> SparseRows:
    """The K strongest entries of the sum of two matrices, each of K entries a row."""
    same = old.slots.unsqueeze(4) == new.slots.unsqueeze(3)  # [B, H, N, K, K]
    sums = old.links + (same * new.links.unsqueeze(3)).sum(4)
    # What was added to an old entry must not be chosen again: it is made less than any.
    links = torch.cat([sums, new.links.masked_fill(same.any(3), -1)], 3)
    links, chosen = links.topk(old.slots.shape[3], 3)
    return SparseRows(torch.cat([old.slots, new.slots], 3).gather(3, chosen), links)


def at_slots(weights: Tensor, slots: Tensor) -> Tensor:
    """Entries [B, H, N, K] of weights [B, H, N]."""
    return weights.gather(2, slots.flatten(2)).view_as(slots)


def stepped(rows: SparseRows, reads: Tensor, modes: Tensor) -> Tensor:
    """Reads moved along the links of every write head, times the heads' modes, summed.

    Args:
        rows: [B, H, N, K].
        reads: [B, R, N].
        modes: [B, R, H].
    """
    heads = reads.shape[1]
    linked = reads.gather(2, rows.slots.flatten(1).unsqueeze(1).expand(-1, heads, -1))
    moved = (linked.unflatten(2, rows.slots.shape[1:]) * rows.links.unsqueeze(1)).sum(4)
    return (modes.unsqueeze(3) * moved).sum(2)
