"""Store of the items of all steps, of which each step sees a range of rows."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from memory_cores.parts.attention import Prepared
from memory_cores.parts.item_order import rows_at


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
