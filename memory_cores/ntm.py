"""Neural Turing Machine: addressing by content, then location (Graves et al. 2014, section 3)."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from memory_cores.core import Items, MemorySizes
from memory_cores.kernels import building
from memory_cores.kernels import ntm as ntm_kernel
from memory_cores.parts.addressing import (
    content_weights,
    erase_and_add,
    inverse_norms,
    sharpened,
    shifted,
    usage_after_write,
)
from memory_cores.parts.associative import (
    READ_STRENGTH,
    STEADY,
    Affine,
    associate_keys_with_values,
    rows_of,
)
from memory_cores.parts.attention import AttentionKind
from memory_cores.parts.checks import require_at_least
from memory_cores.parts.joint_lookup import Stored
from memory_cores.parts.slot_memory import SlotMemory

#: Initial value of every entry of the memory.
INITIAL_WORD = 1e-6
#: Shifts of a head in one step: -1, 0 or +1 slots.
SHIFTS = 3


class NTMState(NamedTuple):
    """B sequences, N slots of width W, R read heads, H write heads.

    All heads start on slot 0: shifting a weighting of zeros would leave it at zero.
    """

    memory: Tensor  #: [B, N, W]
    norms: Tensor  #: [B, N], inverse norms of the slots, for the next read and the next write
    written: Tensor  #: [B, N] in [0, 1], how much of a slot was written
    write_focus: Tensor  #: [B, H, N], weightings of the write heads before gating by presence
    write_weights: Tensor  #: [B, H, N], of the last write
    read_weights: Tensor  #: [B, R, N]


class Addressing(NamedTuple):
    """Parameters of K heads in one step, from the controller."""

    keys: Tensor  #: [B, K, W]
    strengths: Tensor  #: [B, K], non-negative
    gates: Tensor  #: [B, K] in [0, 1]: 1 addresses by content, 0 keeps the previous weights
    shifts: Tensor  #: [B, K, 3] over moves by -1, 0 and +1; they sum to 1
    sharpness: Tensor  #: [B, K], at least 1


class NTM(SlotMemory[NTMState]):
    """Neural Turing machine (Graves et al. 2014): heads are addressed by content and shifts.

    The model supplies the controller. A step writes, then reads.

    It stores one item per step: a set is pooled to its mean. An empty set writes nothing and leaves
    the write heads in place. Models that read by query attend to each of the step's items and
    to the slots (``JointLookup``).

    Args:
        sizes: given by the model.
        slots: number of slots N; default: the sequence length.
        word_size: width W of a slot.
        read_heads: number of read heads R. The papers use 5 in generative temporal models; models
            that read by query have none.
        write_heads: number of write heads H.
        attention: kind of the attention for look-ups by query.
        attention_heads: heads of multihead attention.

    Raises:
        ValueError: a number is below 1, queries and keys differ in width, or ``attention``
            is unknown.
    """

    _has_operators = True

    def __init__(
        self,
        sizes: MemorySizes,
        slots: int | None = None,
        word_size: int = 64,
        read_heads: int = 5,
        write_heads: int = 1,
        attention: AttentionKind = "multihead",
        attention_heads: int = 8,
    ) -> None:
        super().__init__(sizes)
        # Only look-ups need to know which slots were written.
        self.not_carried = ("norms", "write_weights", *(() if sizes.query else ("written",)))
        self.slots = sizes.slots_of(slots, sizes.steps)
        self.word_size, self.write_heads = word_size, write_heads
        self.read_heads = 0 if sizes.query else read_heads
        require_at_least(
            1, slots=self.slots, word_size=word_size, read_heads=read_heads, write_heads=write_heads
        )
        inputs = sizes.control + sizes.key + sizes.value
        self.write_vectors = nn.Linear(inputs, 2 * write_heads * word_size)
        self.write_addressing = nn.Linear(inputs, sum(self._addressing_parts(write_heads)))
        if self.read_heads:
            outputs = sum(self._addressing_parts(read_heads))
            self.read_addressing = nn.Linear(sizes.control, outputs)
        self._build_lookup(attention, attention_heads)
        if not sizes.plain:
            self._start_as_associative_memory()
            self._start_writing_in_turn()

    def initial_state(self, batch_size: int, like: Tensor) -> NTMState:
        """Return a nearly zero memory, and all heads on slot 0."""
        B, N, W, R, H = batch_size, self.slots, self.word_size, self.read_heads, self.write_heads
        first_slot = torch.arange(N, device=like.device) == 0
        memory = like.new_full((B, N, W), INITIAL_WORD)
        return NTMState(
            memory=memory,
            norms=inverse_norms(memory),
            written=like.new_zeros(B, N),
            write_focus=first_slot.to(like.dtype).repeat(B, H, 1),
            write_weights=like.new_zeros(B, H, N),
            read_weights=first_slot.to(like.dtype).repeat(B, R, 1),
        )

    def write(self, state: NTMState, control: Tensor, items: Items) -> NTMState:
        """Move the write heads, erase and add."""
        item, present = items.pooled()
        inputs = torch.cat([control, item], 1)
        addressing = self._addressing(self.write_addressing(inputs), self.write_heads)
        focus = address(state.memory, state.norms, state.write_focus, addressing)
        # An empty set leaves the heads in place, or shifts would also count steps without items.
        focus = torch.where(present.unsqueeze(2) > 0, focus, state.write_focus)
        weights = present.unsqueeze(2) * focus
        erase, vectors = (
            self.write_vectors(inputs).unflatten(1, (2, self.write_heads, -1)).unbind(1)
        )
        memory = erase_and_add(state.memory, weights, erase.sigmoid(), vectors)
        return NTMState(
            memory=memory,
            norms=inverse_norms(memory),
            written=usage_after_write(state.written, weights),
            write_focus=focus,
            write_weights=weights,
            read_weights=state.read_weights,
        )

    def _read(self, state: NTMState, control: Tensor) -> tuple[Tensor, NTMState]:
        """Move the read heads and read."""
        addressing = self._addressing(self.read_addressing(control), self.read_heads)
        weights = address(state.memory, state.norms, state.read_weights, addressing)
        return (weights @ state.memory).flatten(1), state._replace(read_weights=weights)

    def write_and_read(
        self,
        state: NTMState,
        control: Tensor,
        items: Items,
        observed: Tensor | None = None,
        noise: Tensor | None = None,
    ) -> tuple[Tensor, NTMState, Tensor]:
        """Write, then read."""
        if not (self.read_heads and building.serve(state.memory, self.write_vectors.weight)):
            return super().write_and_read(state, control, items)
        item, present = items.pooled()
        step = ntm_kernel.step(
            state,
            present.to(state.memory.dtype),
            torch.cat([control, item], 1),
            self.write_vectors,
            self.write_addressing,
            control,
            self.read_addressing,
        )
        memory, norms, written, focus, writes, reads, weights = step
        state = NTMState(memory, norms, written, focus, writes, weights)
        return reads, state, control.new_zeros(len(control))

    def stored(self, state: NTMState) -> Stored:
        """Return the slots, with how much of each was written as shares."""
        return Stored(state.memory, state.written)

    @torch.no_grad()
    def _start_as_associative_memory(self) -> None:
        """Start with words whose values can be looked up by key or by time."""
        _, words = rows_of(self.write_vectors, [self.write_heads * self.word_size] * 2)
        keys = self._start_reading_sharply() if self.read_heads else None
        associate_keys_with_values(words, keys, self.word_size, self.sizes)

    def _start_reading_sharply(self) -> Affine:
        """Start with sharp reads by content; return the rows of the keys."""
        parts = self._addressing_parts(self.read_heads)
        keys, strengths, gates, shifts, _ = rows_of(self.read_addressing, parts)
        strengths.bias.fill_(READ_STRENGTH)
        strengths.weight.mul_(STEADY)
        gates.bias.fill_(3.0)  # by content: g is 0.95
        shifts.bias.view(-1, SHIFTS)[:, 1] = 4.0  # no shift
        return keys

    @torch.no_grad()
    def _start_writing_in_turn(self) -> None:
        """Start by shifting one slot with every item and overwriting its content."""
        parts = self._addressing_parts(self.write_heads)
        _, _, gates, shifts, sharpness = self.write_addressing.bias.split(parts)
        gates.fill_(-5.0)  # by location: g is below 0.01
        shifts.view(-1, SHIFTS)[:, 2] = 5.0  # shift by +1
        sharpness.fill_(3.0)  # gamma is 4, or shifts blur the weights more with every step
        self.write_vectors.bias.chunk(2)[0].fill_(3.0)  # erase

    def _addressing_parts(self, heads: int) -> list[int]:
        return [heads * self.word_size, heads, heads, heads * SHIFTS, heads]

    def _addressing(self, raw: Tensor, heads: int) -> Addressing:
        parts = raw.split(self._addressing_parts(heads), 1)
        keys, strengths, gates, shifts, sharpness = parts
        return Addressing(
            keys=keys.unflatten(1, (heads, self.word_size)),
            strengths=F.softplus(strengths),
            gates=gates.sigmoid(),
            shifts=shifts.unflatten(1, (heads, SHIFTS)).softmax(2),
            sharpness=1 + F.softplus(sharpness),
        )


def address(memory: Tensor, norms: Tensor, before: Tensor, addressing: Addressing) -> Tensor:
    """Compute the weights of K heads: by content, then by location (equations 5 to 9).

    Args:
        memory: [B, N, W].
        norms: [B, N], inverse norms of its slots.
        before: [B, K, N], the heads' previous weights.
        addressing: the heads' parameters, from the controller.

    Returns:
        weights: [B, K, N], each row sums to 1.
    """
    content = content_weights(memory, addressing.keys, addressing.strengths, norms)
    # Not torch.lerp: it rejects the mixed dtypes that autocast produces.
    # Eq. 7, w^g = g w^c + (1 - g) w_{t-1}; eq. 8 shifts and eq. 9 sharpens it.
    gated = before + addressing.gates.unsqueeze(2) * (content - before)
    return sharpened(shifted(gated, addressing.shifts), addressing.sharpness)
