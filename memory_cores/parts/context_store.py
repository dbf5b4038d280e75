"""Store of the items of all steps; each step sees a range of its rows."""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from memory_cores.core import Items, Recollections
from memory_cores.parts.attention import Attention, Prepared
from memory_cores.parts.item_order import in_order, rows_at
from memory_cores.parts.real_points import RealPoints

#: Maximum number of queries for which look-ups of several steps share a call.
QUERIES = 512
#: Cost of copying a row for a step, in queries that attend to it.
COPY = 64


class ContextStore(NamedTuple):
    """S items of all T steps, oldest first; a step sees the rows from start to end."""

    rows: Prepared  #: [B, S, ...]
    start: Tensor  #: [B, T] int64
    end: Tensor  #: [B, T] int64
    reach: tuple[int, ...]  #: T upper bounds of ``end`` over the sequences
    width: int  #: upper bound of the rows that a step sees

    def in_steps(self, first: int, last: int, queries: int) -> Prepared:
        """Return the rows that M queries of each step see, for steps first to last - 1.

        The mask is [B, steps * M, S].
        """
        S = self.reach[last - 1]
        mask = between(self.start[:, first:last], self.end[:, first:last], S)
        # The queries of a single step see the same rows and share one mask.
        copies = queries if last - first > 1 else 1
        mask = mask.unsqueeze(2).expand(-1, -1, copies, -1).flatten(1, 2)
        return Prepared(self.rows.keys[:, :S], self.rows.values[:, :S], mask)

    def means(self) -> Tensor:
        """Average the values that each step sees, [B, T, 1, Dv]; 0 if there are none."""
        values = self.rows.values
        # A range's sum is a difference of running sums, which bfloat16 is too coarse for.
        exact = torch.promote_types(values.dtype, torch.float32)
        sums = F.pad(values.cumsum(1, dtype=exact), (0, 0, 1, 0))
        total = rows_at(sums, self.end) - rows_at(sums, self.start)
        number = (self.end - self.start).clamp(min=1).unsqueeze(2)
        return (total / number).to(values.dtype).unsqueeze(2)

    def copied(self) -> Prepared:
        """Copy the rows of each step, [B, T, width, ...]."""
        index = self.start.unsqueeze(2) + torch.arange(self.width, device=self.start.device)
        mask = index < self.end.unsqueeze(2)
        batch = torch.arange(len(index), device=index.device).view(-1, 1, 1)
        index = index.clamp(max=self.rows.mask.shape[1] - 1)
        return Prepared(self.rows.keys[batch, index], self.rows.values[batch, index], mask)

    def attended(
        self, attention: Attention, queries: Tensor, real: RealPoints | None = None
    ) -> Tensor:
        """Read values [B, T, M, Dv] with the projected queries [B, T, M, E] of each step.

        Each step attends either to a copy of the rows that it sees, or to all rows so far with a
        mask, whichever is estimated to be faster.
        """
        M = queries.shape[2]
        if self.width * (M + COPY) < self.rows.mask.shape[1] * M:
            return attention.attend(queries, self.copied(), real)
        return attention.combined(self._read_in_groups(attention, queries), real)

    def _read_in_groups(self, attention: Attention, queries: Tensor) -> Tensor:
        """Read the rows so far with queries [B, T, M, E], in groups of steps, for all heads."""
        T, M = queries.shape[1:3]
        # A group attends to all rows up to its last step: small groups mask fewer rows, large ones
        # need fewer calls.
        size = max(1, QUERIES // max(M, 1))
        reads = [
            attention.read(
                queries[:, first : first + size].flatten(1, 2),
                self.in_steps(first, min(first + size, T), M),
            )
            for first in range(0, T, size)
        ]
        return torch.cat(reads, 1).unflatten(1, (T, M))


def recollected(
    items: Items, most: int, prepare: Callable[[Items, Tensor], Prepared]
) -> Recollections:
    """Write all steps at once, for cores that store the last items uncompressed.

    Args:
        items: keys [B, T, N, Dk], values [B, T, N, Dv], mask [B, T, N].
        most: maximum number of earlier items that a step sees besides its own.
        prepare: prepares rows [B, S, ...] of all steps, oldest first, for an attention, given the
            step [B, S] of each.
    """
    # Of all items in order, a step sees those from start to end; its own begin at ``before``.
    end = items.mask.sum(2).cumsum(1)
    before = end - items.mask.sum(2)
    start = (before - most).clamp(min=0)
    reach, width = extents(start, end, items.mask.shape[2], most)
    rows = Items(*(part[:, : reach[-1]] for part in in_order(items)))
    ended = end.unsqueeze(2) <= torch.arange(reach[-1], device=end.device)
    earlier = between(start, before, reach[-1]).to(rows.values.dtype)
    store = ContextStore(prepare(rows, ended.sum(1)), start, end, reach, width)
    number = earlier.sum(2, keepdim=True)
    return Recollections(store, earlier @ rows.values, number, torch.zeros_like(number[:, :, 0]))


def between(start: Tensor, end: Tensor, rows: int) -> Tensor:
    """Return a mask [B, T, rows] of the rows from start to end - 1, both [B, T]."""
    row = torch.arange(rows, device=start.device)
    return (start.unsqueeze(2) <= row) & (row < end.unsqueeze(2))


def extents(start: Tensor, end: Tensor, items: int, most: int) -> tuple[tuple[int, ...], int]:
    """Return the maximum ``end`` of each step, and the maximum number of rows that a step sees.

    Reading these numbers would synchronise with a GPU, and a compiled graph has fixed shapes: there
    they are the bounds for sets without padding.
    """
    if torch.compiler.is_compiling() or not end.is_cpu or not len(end):
        steps = range(1, end.shape[1] + 1)
        return tuple(step * items for step in steps), min(most, (len(steps) - 1) * items) + items
    *reach, width = torch.cat([end.amax(0), (end - start).amax().unsqueeze(0)]).tolist()
    return tuple(reach), width
