"""The workload of a core in a neural process: write sets step by step, then look up.

memory_t = write the context points (x, value) of step t
y_t(x)   = look-up of the targets x of all steps, in one call
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from memory_cores import Items, MemoryCore, MemorySizes


class SetSizes(NamedTuple):
    """Sizes of sequences of sets, in the middle of transfer-prediction's ranges."""

    steps: int = 20  #: T
    batch: int = 16  #: B
    width: int = 64  #: h, of encodings
    context: int = 25  #: N points per step
    targets: int = 25  #: M locations per step
    slots: int = 25  #: of every core that has slots; an RMR's K


class SetUnroll(nn.Module):
    """A core with its items and queries.

    Args:
        core: builds the core.
        sizes: of items and queries.
    """

    items: Tensor
    queries: Tensor

    def __init__(self, core: Callable[[MemorySizes], MemoryCore], sizes: SetSizes) -> None:
        super().__init__()
        T, B, h, N, M, _ = sizes
        self.core = core(MemorySizes(control=h, key=1, value=h, steps=T, query=1))
        generator = torch.Generator().manual_seed(1)
        self.register_buffer("items", torch.randn(B, T, N, 1 + h, generator=generator))
        self.register_buffer("queries", torch.randn(B, T, M, 1, generator=generator))

    def forward(self, controls: Tensor) -> Tensor:
        """Map controls [B, T, h] to the values [B, T, M, h] of the queries."""
        keys, values = self.items.split([1, self.items.shape[-1] - 1], -1)
        mask = torch.ones(keys.shape[:-1], dtype=torch.bool, device=keys.device)
        recollections = self.core.unroll(controls, Items(keys, values, mask))
        return self.core.lookup(recollections.snapshot, self.queries)
