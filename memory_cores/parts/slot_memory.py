"""Base of cores with slots of words, from which look-ups by query derive keys and values."""

from typing import Any

from torch import Tensor, nn

from memory_cores.core import State, Weightings
from memory_cores.kernels import building
from memory_cores.parts.attention import AttentionKind
from memory_cores.parts.joint_lookup import JointLookup


class SlotMemory(JointLookup[State]):
    """Base class of cores that read whole words; their stored rows are the slots, [B, N, W]."""

    word_size: int
    #: Whether C++ operators implement its steps.
    _has_operators: bool = False

    @property
    def graph_steps(self) -> int:
        """Maximum steps per graph: 25 if a step is little more than one operator."""
        return 25 if self._has_operators and building.are_in_use() else super().graph_steps

    @property
    def read_size(self) -> int:
        """Width W of one head's read, a word."""
        return self.word_size

    def weightings(self, state: Any) -> Weightings:
        """Return the state's ``read_weights`` and ``write_weights``."""
        return Weightings(read=state.read_weights, write=state.write_weights)

    def _build_lookup(self, attention: AttentionKind, heads: int) -> None:
        """Build the layers of look-up and pooling, if the model reads by query."""
        self._build_attention(attention, heads)
        if not self.sizes.query:
            return
        if self.lookup_attention.compares:
            self.key_of_word = nn.Linear(self.word_size, self.lookup_attention.encoded_size)
        self.value_of_word = nn.Linear(self.word_size, self.sizes.value)

    def _codes_of(self, rows: Tensor) -> Tensor:
        """Map words [..., N, W] to encoded keys."""
        return self.key_of_word(rows)

    def _values_of(self, rows: Tensor) -> Tensor:
        """Map words [..., N, W] to values [..., N, Dv]."""
        return self.value_of_word(rows)
