"""A sparse access memory that is full when a sequence begins, as after as many steps as slots.

With an empty memory, a short sequence fills few of 100,000 slots, and the others cost nothing.
"""

import torch
from torch import Tensor

from memory_cores import SAM
from memory_cores.sam import SAMState


class FullSAM(SAM):
    """A SAM whose slots are all filled with random rows, separately for each sequence."""

    def initial_state(self, batch_size: int, like: Tensor) -> SAMState:
        """Return a full journal if all slots fit in it, else a full base."""
        empty = super().initial_state(batch_size, like)
        generator = torch.Generator(like.device).manual_seed(0)
        rows = torch.randn(
            batch_size,
            self.slots,
            self.word_size,
            generator=generator,
            device=like.device,
            dtype=like.dtype,
        )
        if empty.rows.shape[1] == self.slots:
            ages = torch.arange(self.slots, 0, -1, device=like.device)
            return empty._replace(rows=rows, age=ages.expand_as(empty.age))
        origin = torch.full_like(empty.age, self.slots)
        return empty._replace(origin=origin, base=rows, base_norms=1 / rows.norm(dim=2))
