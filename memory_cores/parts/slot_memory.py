"""Base of cores with slots of words: look-up by query, and pooling."""

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from memory_cores.core import MemoryCore, State, Weightings
from memory_cores.parts.addressing import content_weights
from memory_cores.parts.real_points import RealPoints, of_points


class SlotMemory(MemoryCore[State]):
    """Base class of cores that read whole words; snapshots hold ``memory``, [..., N, W]."""

    word_size: int

    @property
    def read_size(self) -> int:
        """Width W of what one head reads: a word."""
        return self.word_size

    def weightings(self, state: Any) -> Weightings:
        """Return the state's ``read_weights`` and ``write_weights``."""
        return Weightings(read=state.read_weights, write=state.write_weights)

    def _build_lookup(self) -> None:
        """Make the maps that look-up and pooling need, if the model asks by query."""
        if self.sizes.query:  # else they would be parameters without a gradient
            self.query_interface = nn.Linear(self.sizes.query, self.word_size + 1)
            self.value_of_word = nn.Linear(self.word_size, self.sizes.value)

    def lookup(self, snapshot: Any, queries: Tensor, real: RealPoints | None = None) -> Tensor:
        """Look values up by content, like a read head whose key and strength come from a query."""
        asked = of_points(self.query_interface, queries, real)
        keys, strengths = asked.split([self.word_size, 1], -1)
        weights = content_weights(snapshot.memory, keys, F.softplus(strengths).squeeze(-1))
        return of_points(self.value_of_word, weights @ snapshot.memory, real)

    def _pool(self, memory: Tensor, held: Tensor) -> tuple[Tensor, Tensor]:
        """Sum the values of words [B, N, W], weighted by how much of each is held, [B, N]."""
        held = held.unsqueeze(2)
        return (held * self.value_of_word(memory)).sum(1), held.sum(1)
