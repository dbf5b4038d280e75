"""A core that holds nothing: the ablation of every memory."""

from typing import NamedTuple

from torch import Tensor

from memory_cores.core import Items, MemoryCore
from memory_cores.parts.real_points import RealPoints


class NoMemoryState(NamedTuple):
    """Nothing is held; the tensor only carries batch size, device and dtype."""

    nothing: Tensor  #: [B, 0]


class NoMemory(MemoryCore[NoMemoryState]):
    """Reads nothing (C = 0), so that a model keeps only its controller's state."""

    holds_items = False
    read_heads = 0

    def initial_state(self, batch_size: int, like: Tensor) -> NoMemoryState:
        """Return the empty state."""
        return NoMemoryState(like.new_zeros(batch_size, 0))

    def write(self, state: NoMemoryState, control: Tensor, items: Items) -> NoMemoryState:
        """Forget the items."""
        return state

    def _read(self, state: NoMemoryState, control: Tensor) -> tuple[Tensor, NoMemoryState]:
        """Return [B, 0]."""
        return state.nothing, state

    def lookup(
        self, snapshot: NoMemoryState, queries: Tensor, real: RealPoints | None = None
    ) -> Tensor:
        """Return zeros, [..., M, Dv]."""
        return queries.new_zeros(*queries.shape[:-1], self.sizes.value)

    def pool(self, state: NoMemoryState) -> tuple[Tensor, Tensor]:
        """Return zeros: nothing is held."""
        batch_size = state.nothing.shape[0]
        return (
            state.nothing.new_zeros(batch_size, self.sizes.value),
            state.nothing.new_zeros(batch_size, 1),
        )
