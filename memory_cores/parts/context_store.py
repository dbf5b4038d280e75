"""The items of all steps in one store, of which each step sees a range of rows."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from memory_cores.parts.attention import Prepared
from memory_cores.parts.item_order import rows_at


class ContextStore(NamedTuple):
    """The S items of all T steps, oldest first; a step sees the rows from start to end."""

    rows: Prepared  #: [B, S, ...]
    start: Tensor  #: [B, T] int64
    end: Tensor  #: [B, T] int64
    reach: tuple[int, ...]  #: T numbers, at least what ``end`` is in any sequence
    width: int  #: at least what any step sees

    def in_steps(self, first: int, last: int, queries: int) -> Prepared:
        """Rows that M queries of each step from first to last see, together [B, steps * M]."""
        S = self.reach[last - 1]
        seen = between(self.start[:, first:last], self.end[:, first:last], S)
        # Queries of a single step see the same.
        copies = queries if last - first > 1 else 1
        seen = seen.unsqueeze(2).expand(-1, -1, copies, -1).flatten(1, 2)
        return Prepared(self.rows.keys[:, :S], self.rows.values[:, :S], seen)

    def means(self) -> Tensor:
        """Means [B, T, 1, Dv] of what each step sees, 0 where that is nothing."""
        values = self.rows.values
        # In float32 at least: differences of long sums have no digits left in bfloat16.
        exact = torch.promote_types(values.dtype, torch.float32)
        sums = F.pad(values.cumsum(1, dtype=exact), (0, 0, 1, 0))
        total = rows_at(sums, self.end) - rows_at(sums, self.start)
        number = (self.end - self.start).clamp(min=1).unsqueeze(2)
        return (total / number).to(values.dtype).unsqueeze(2)

    def copied(self) -> Prepared:
        """Each step's rows, [B, T, width, ...]."""
        index = self.start.unsqueeze(2) + torch.arange(self.width, device=self.start.device)
        seen = index < self.end.unsqueeze(2)
        batch = torch.arange(len(index), device=index.device).view(-1, 1, 1)
        index = index.clamp(max=self.rows.mask.shape[1] - 1)
        return Prepared(self.rows.keys[batch, index], self.rows.values[batch, index], seen)


def between(start: Tensor, end: Tensor, rows: int) -> Tensor:
    """Which of so many rows are from start to end, both [B, T]: [B, T, rows] bool."""
    row = torch.arange(rows, device=start.device)
    return (start.unsqueeze(2) <= row) & (row < end.unsqueeze(2))


def extents(start: Tensor, end: Tensor, items: int, held: int) -> tuple[tuple[int, ...], int]:
    """How far the steps reach in any sequence, and how many rows a step sees at most.

    Other devices than the CPU would have to be waited for, and a compiled graph fits one shape:
    there, as if there were no padding.
    """
    if torch.compiler.is_compiling() or not end.is_cpu:
        steps = range(1, end.shape[1] + 1)
        return tuple(step * items for step in steps), min(held, (len(steps) - 1) * items) + items
    *reach, width = torch.cat([end.amax(0), (end - start).amax().unsqueeze(0)]).tolist()
    return tuple(reach), width
