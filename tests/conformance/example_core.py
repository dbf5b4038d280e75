"""A minimal external core that passes all conformance tests."""

from typing import NamedTuple

from torch import Tensor

from memory_cores import Items, MemoryCore
from memory_cores.parts.real_points import RealPoints


class ExampleState(NamedTuple):
    """B sequences, values of width Dv."""

    total: Tensor  #: [B, Dv], sum of the items' values
    number: Tensor  #: [B, 1], of the items

    def mean(self) -> Tensor:
        """Mean value [..., Dv], 0 before the first item."""
        return self.total / self.number.clamp(min=1)


class ExampleCore(MemoryCore[ExampleState]):
    """The mean value of all items so far, for every control and query."""

    def initial_state(self, batch_size: int, like: Tensor) -> ExampleState:
        total = like.new_zeros(batch_size, self.sizes.value)
        return ExampleState(total, like.new_zeros(batch_size, 1))

    def write(self, state: ExampleState, control: Tensor, items: Items) -> ExampleState:
        values = items.values.masked_fill(~items.mask.unsqueeze(2), 0)
        number = items.mask.sum(1, keepdim=True)
        return ExampleState(state.total + values.sum(1), state.number + number)

    def _read(self, state: ExampleState, control: Tensor) -> tuple[Tensor, ExampleState]:
        return state.mean(), state

    def lookup(
        self, snapshot: ExampleState, queries: Tensor, real: RealPoints | None = None
    ) -> Tensor:
        return snapshot.mean().unsqueeze(-2).expand(*queries.shape[:-1], -1)

    def pool(self, state: ExampleState) -> tuple[Tensor, Tensor]:
        return state.total, state.number
