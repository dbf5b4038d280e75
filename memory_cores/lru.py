"""Least-recently-used access: the memory of MANN (Santoro et al. 2016, section 3.2)."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from memory_cores.core import Items, MemorySizes
from memory_cores.kernels import building
from memory_cores.kernels import lru as lru_kernel
from memory_cores.parts.addressing import content_weights, least_used_slots, usage_after_write
from memory_cores.parts.associative import (
    READ_STRENGTH,
    STEADY,
    associate_keys_with_values,
    rows_of,
)
from memory_cores.parts.attention import AttentionKind
from memory_cores.parts.checks import require_at_least
from memory_cores.parts.joint_lookup import Stored
from memory_cores.parts.slot_memory import SlotMemory

#: Initial value of every entry of the memory.
INITIAL_WORD = 1e-6


class LRUState(NamedTuple):
    """B sequences, N slots of width W, R read heads, H write heads. At first zero but the memory.

    ``usage`` lags one step behind the weights: the next write updates it, so that a core without
    reads works, too.
    """

    memory: Tensor  #: [B, N, W]
    usage: Tensor  #: [B, N], non-negative
    written: Tensor  #: [B, N] in [0, 1], how much of a slot was written since its erasure
    write_weights: Tensor  #: [B, H, N]
    read_weights: Tensor  #: [B, R, N]


class LRU(SlotMemory[LRUState]):
    """Least recently used access (Santoro et al. 2016): reads by content, writes to unused slots.

    A write head writes to the slots that its read head read last, or to the least used slot.

    It stores one item per step: a set is pooled to its mean, and an empty set writes nothing. Each
    read head has a write head with its own word and slot: the i-th head has the i-th least used
    slot. In the paper all heads share one least-used weighting, over as many slots as there are
    reads.

    Models that read by query have a single write head: without reads nothing would tell several
    apart, and all would store the same. They attend to each of the step's items, and to the slots
    (``JointLookup``).

    Args:
        sizes: given by the model.
        slots: number of slots N; default: one for each write head in each step.
        word_size: width W of a slot.
        read_heads: number of heads R. The papers use 5 in generative temporal models; models that
            read by query have none.
        usage_decay: factor by which a slot's usage decays in each step (``gamma``).
        attention: kind of the attention for look-ups by query.
        attention_heads: heads of multihead attention.

    Raises:
        ValueError: a number is below 1, the decay is not in [0, 1], queries are not as wide as
            keys, or there is no such attention.
    """

    _has_operators = True

    def __init__(
        self,
        sizes: MemorySizes,
        slots: int | None = None,
        word_size: int = 64,
        read_heads: int = 5,
        usage_decay: float = 0.95,
        attention: AttentionKind = "multihead",
        attention_heads: int = 8,
    ) -> None:
        super().__init__(sizes)
        # Only look-ups need to know which slots were written.
        self.not_carried = () if sizes.query else ("written",)
        self.read_heads = 0 if sizes.query else read_heads
        self.write_heads = self.read_heads or 1
        self.slots = sizes.slots_of(slots, self.write_heads * sizes.steps)
        self.word_size, self.usage_decay = word_size, usage_decay
        require_at_least(1, read_heads=read_heads, slots=self.slots, word_size=word_size)
        if not 0 <= usage_decay <= 1:
            raise ValueError(f"usage_decay must be in [0, 1], got {usage_decay}")
        W, R, H = word_size, self.read_heads, self.write_heads
        self._read_parts = [R * W, R]
        self.write_words = nn.Linear(sizes.control + sizes.key + sizes.value, H * W)
        self.write_gates = nn.Linear(sizes.control, H)
        if R:
            self.read_interface = nn.Linear(sizes.control, sum(self._read_parts))
        self._build_lookup(attention, attention_heads)
        if not sizes.plain:
            self._start_as_associative_memory()

    def initial_state(self, batch_size: int, like: Tensor) -> LRUState:
        """Return a nearly zero memory, and unused slots."""
        B, N, W, R, H = batch_size, self.slots, self.word_size, self.read_heads, self.write_heads
        return LRUState(
            memory=like.new_full((B, N, W), INITIAL_WORD),
            usage=like.new_zeros(B, N),
            written=like.new_zeros(B, N),
            write_weights=like.new_zeros(B, H, N),
            read_weights=like.new_zeros(B, R, N),
        )

    def write(self, state: LRUState, control: Tensor, items: Items) -> LRUState:
        """Erase the least used slots; write to them or to the slots that each head read last."""
        item, present = items.pooled()
        usage = self._usage(state)
        least_used = present.unsqueeze(2) * least_used_slots(usage, self.write_heads)
        # w^w = sigmoid(alpha) w^r_{t-1} + (1 - sigmoid(alpha)) w^lu_{t-1}, a gate for each head.
        gates = self.write_gates(control).sigmoid().unsqueeze(2)
        weights = (1 - gates) * least_used
        if self.read_heads:
            weights = weights + gates * (present.unsqueeze(2) * state.read_weights)
        # The least used slots are fully erased before the write, as in section 3.2.
        kept = 1 - least_used.amax(1)
        words = self.write_words(torch.cat([control, item], 1)).unflatten(1, (-1, self.word_size))
        return LRUState(
            memory=state.memory * kept.unsqueeze(2) + weights.mT @ words,
            usage=usage,
            written=usage_after_write(state.written * kept, weights),
            write_weights=weights,
            read_weights=state.read_weights,
        )

    def _read(self, state: LRUState, control: Tensor) -> tuple[Tensor, LRUState]:
        """Look up by content."""
        keys, strengths = self.read_interface(control).split(self._read_parts, 1)
        keys = keys.unflatten(1, (-1, self.word_size))
        weights = content_weights(state.memory, keys, F.softplus(strengths))
        return (weights @ state.memory).flatten(1), state._replace(read_weights=weights)

    def write_and_read(
        self,
        state: LRUState,
        control: Tensor,
        items: Items,
        observed: Tensor | None = None,
        noise: Tensor | None = None,
    ) -> tuple[Tensor, LRUState, Tensor]:
        """Write, then read."""
        if not (self.read_heads and building.serve(state.memory, self.write_words.weight)):
            return super().write_and_read(state, control, items)
        item, present = items.pooled()
        step = lru_kernel.step(
            state,
            self.usage_decay,
            present.to(state.memory.dtype),
            torch.cat([control, item], 1),
            self.write_words,
            control,
            self.write_gates,
            self.read_interface,
        )
        memory, usage, written, writes, reads, weights = step
        state = LRUState(memory, usage, written, writes, weights)
        return reads, state, control.new_zeros(len(control))

    def stored(self, state: LRUState) -> Stored:
        """Return the slots, with how much of each was written since its erasure as shares."""
        return Stored(state.memory, state.written)

    @torch.no_grad()
    def _start_as_associative_memory(self) -> None:
        """Start by writing items to the least used slots and reading them by key or time.

        All heads start with the same word, so that a read is a clean copy whichever of an item's
        slots it falls on. Slots just read are left alone: adding even an eighth of each new word
        there is enough to forget their content.
        """
        (words,) = rows_of(self.write_words, [self.write_heads * self.word_size])
        keys = None
        if self.read_heads:
            keys, strengths = rows_of(self.read_interface, self._read_parts)
            strengths.bias.fill_(READ_STRENGTH)
            strengths.weight.mul_(STEADY)
        associate_keys_with_values(words, keys, self.word_size, self.sizes)
        words.weight.copy_(words.weight[: self.word_size].repeat(self.write_heads, 1))
        self.write_gates.weight.zero_()
        self.write_gates.bias.fill_(-6.0)  # sigmoid(alpha) is 0.002: to the least used slots

    @torch.no_grad()
    def _usage(self, state: LRUState) -> Tensor:
        """Return the usage after the last step (``w^u``), without a gradient."""
        weights = state.read_weights.sum(1) + state.write_weights.sum(1)
        return self.usage_decay * state.usage + weights
