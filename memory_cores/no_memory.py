"""A core that stores nothing: the ablation of every memory."""

from typing import NamedTuple

from torch import Tensor

from memory_cores.core import Items, MemorySizes
from memory_cores.parts.attention import AttentionKind
from memory_cores.parts.joint_lookup import JointLookup, Stored


class NoMemoryState(NamedTuple):
    """Empty; the tensor only carries batch size, device and dtype."""

    nothing: Tensor  #: [B, 0]


class NoMemory(JointLookup[NoMemoryState]):
    """Stores nothing from step to step.

    Models that read with heads read nothing (C = 0): only their controller has a state. Models that
    read by query still attend to the real items of the current step, as with every other core;
    without items they read 0.

    Args:
        sizes: given by the model.
        attention: kind of the attention for look-ups.
        attention_heads: heads of multihead attention.

    Raises:
        ValueError: ``attention_heads`` is below 1, queries are not as wide as keys, or there is no
            such attention.
    """

    holds_items = False
    read_heads = 0

    def __init__(
        self,
        sizes: MemorySizes,
        attention: AttentionKind = "multihead",
        attention_heads: int = 8,
    ) -> None:
        super().__init__(sizes)
        self._build_attention(attention, attention_heads)

    def initial_state(self, batch_size: int, like: Tensor) -> NoMemoryState:
        """Return the empty state."""
        return NoMemoryState(like.new_zeros(batch_size, 0))

    def write(self, state: NoMemoryState, control: Tensor, items: Items) -> NoMemoryState:
        """Discard the items."""
        return state

    def _read(self, state: NoMemoryState, control: Tensor) -> tuple[Tensor, NoMemoryState]:
        """Return [B, 0]."""
        return state.nothing, state

    def stored(self, state: NoMemoryState) -> Stored:
        """Return no rows."""
        nothing = state.nothing
        return Stored(nothing.new_zeros(len(nothing), 0, self.sizes.value), nothing)

    def _codes_of(self, rows: Tensor) -> Tensor:
        """Return no keys."""
        return rows.new_zeros(*rows.shape[:-1], self.lookup_attention.encoded_size)

    def _values_of(self, rows: Tensor) -> Tensor:
        """Return no values."""
        return rows
