"""Store of the items of all steps, of which each step sees a range of rows."""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from memory_cores.core import Items, Recollections
from memory_cores.parts.attention import Attention, Prepared
from memory_cores.parts.item_order import in_order, rows_at
from memory_cores.parts.real_points import RealPoints

#: Queries up to which look-ups of several steps go into one call.
QUERIES = 512
#: Number of queries whose attention to a row takes as long as copying that row for a step.
COPY = 64


class ContextStore(NamedTuple):
    """S items of all T steps, oldest first; a step sees the rows from start to end."""

    rows: Prepared  #: [B, S, ...]
    start: Tensor  #: [B, T] int64
    end: Tensor  #: [B, T] int64
    reach: tuple[int, ...]  #: T numbers, no less than ``end`` in any sequence
    width: int  #: no less than the rows that any step sees

    def in_steps(self, first: int, last: int, queries: int) -> Prepared:
        """Return the rows that M queries of each step see, from step first to before last.

        The mask is [B, steps * M, S].
        """
        S = self.reach[last - 1]
        seen = between(self.start[:, first:last], self.end[:, first:last], S)
        # The queries of a single step see the same rows, so that one mask serves them all.
        copies = queries if last - first > 1 else 1
        seen = seen.unsqueeze(2).expand(-1, -1, copies, -1).flatten(1, 2)
        return Prepared(self.rows.keys[:, :S], self.rows.values[:, :S], seen)

    def means(self) -> Tensor:
        """Average the values that each step sees, [B, T, 1, Dv]; 0 where it sees none."""
        values = self.rows.values
        # A range's sum is a difference of running sums, which has no digits left in bfloat16.
        exact = torch.promote_types(values.dtype, torch.float32)
        sums = F.pad(values.cumsum(1, dtype=exact), (0, 0, 1, 0))
        total = rows_at(sums, self.end) - rows_at(sums, self.start)
        number = (self.end - self.start).clamp(min=1).unsqueeze(2)
        return (total / number).to(values.dtype).unsqueeze(2)

    def copied(self) -> Prepared:
        """Copy the rows of each step, [B, T, width, ...]."""
        index = self.start.unsqueeze(2) + torch.arange(self.width, device=self.start.device)
        seen = index < self.end.unsqueeze(2)
        batch = torch.arange(len(index), device=index.device).view(-1, 1, 1)
        index = index.clamp(max=self.rows.mask.shape[1] - 1)
        return Prepared(self.rows.keys[batch, index], self.rows.values[batch, index], seen)

    def attended(
        self, attention: Attention, asking: Tensor, real: RealPoints | None = None
    ) -> Tensor:
        """Read values [B, T, M, Dv] with the projected queries [B, T, M, E] of each step.

        Either each step gets a copy of the rows that it sees, ``width`` at most, or it attends to
        all rows so far and masks the others: whichever is estimated to be faster.
        """
        asked = asking.shape[2]
        if self.width * (asked + COPY) < self.rows.mask.shape[1] * asked:
            return attention.attend(asking, self.copied(), real)
        return attention.combined(self._read_in_groups(attention, asking), real)

    def _read_in_groups(self, attention: Attention, asking: Tensor) -> Tensor:
        """Read the rows so far with queries [B, T, M, E], some steps at a time, for all heads."""
        T, M = asking.shape[1:3]
        # A group masks rows up to its last step: small groups mask few in vain, large ones need few
        # calls.
        size = max(1, QUERIES // max(M, 1))
        reads = [
            attention.read(
                asking[:, first : first + size].flatten(1, 2),
                self.in_steps(first, min(first + size, T), M),
            )
            for first in range(0, T, size)
        ]
        return torch.cat(reads, 1).unflatten(1, (T, M))


def recollected(
    items: Items, most: int, prepare: Callable[[Items, Tensor], Prepared]
) -> Recollections:
    """Write all steps at once, for cores that keep the last items as they are.

    Args:
        items: keys [B, T, N, Dk], values [B, T, N, Dv], mask [B, T, N].
        most: number of earlier items that a step sees beside its own.
        prepare: prepares rows [B, S, ...] of all steps, oldest first, for an attention, given the
            step [B, S] of each.
    """
    # Of all items in order, a step sees those from start to end: its own from ``before`` on, and
    # the last ones before that.
    end = items.mask.sum(2).cumsum(1)
    before = end - items.mask.sum(2)
    start = (before - most).clamp(min=0)
    reach, width = extents(start, end, items.mask.shape[2], most)
    rows = Items(*(part[:, : reach[-1]] for part in in_order(items)))
    ended = end.unsqueeze(2) <= torch.arange(reach[-1], device=end.device)
    held = between(start, before, reach[-1]).to(rows.values.dtype)
    store = ContextStore(prepare(rows, ended.sum(1)), start, end, reach, width)
    number = held.sum(2, keepdim=True)
    return Recollections(store, held @ rows.values, number, torch.zeros_like(number[:, :, 0]))


def between(start: Tensor, end: Tensor, rows: int) -> Tensor:
    """Tell which rows are from start to before end, both [B, T]: [B, T, rows] bool."""
    row = torch.arange(rows, device=start.device)
    return (start.unsqueeze(2) <= row) & (row < end.unsqueeze(2))


def extents(start: Tensor, end: Tensor, items: int, held: int) -> tuple[tuple[int, ...], int]:
    """Return the farthest row of each step in any sequence, and the most rows that a step sees.

    Reading these numbers would wait for devices other than the CPU, and a compiled graph fits one
    shape: there they are as large as without padding.
    """
    if torch.compiler.is_compiling() or not end.is_cpu:
        steps = range(1, end.shape[1] + 1)
        return tuple(step * items for step in steps), min(held, (len(steps) - 1) * items) + items
    *reach, width = torch.cat([end.amax(0), (end - start).amax().unsqueeze(0)]).tolist()
    return tuple(reach), width
