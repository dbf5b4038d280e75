"""Sparse access memory: reads of the K nearest rows, sparse writes (Rae et al. 2016, section 3).

    w~R_t: softmax of beta_t cos(q_t, M_t(i)) over the K nearest rows, 0 elsewhere   eqs. 2 and 4
    w^W_t = alpha_t (gamma_t w~R_{t-1} + (1 - gamma_t) I^U_t)                           eq. 5
    M_t   = (1 - I^U_t 1^T) M_{t-1} + w^W_t a_t^T                                       eq. 8

with I^U_t one-hot at the least recently accessed slot, an access being a step with
w^W + w~R > delta. (By mistake, eq. 6 minimises the time since the last access.)

Slots that were never written cost nothing here. They would be read as zeros, so they are not read
at all, and they are written before any other; a memory of N slots therefore stores written rows
only. If all N fit the journal (``JournaledRows``), each has a place from the start and shapes are
constant. In a longer memory the journal grows by a place per step; when it is full, after more
steps than a training sequence has, its rows move to a base that later steps share. From then on it
also grows by the rows read in the base: a step copies the rows it touches and compares its keys
with all rows, in time linear in their number; the backward pass does not reach the base.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from memory_cores.core import Items, MemorySizes, Weightings
from memory_cores.parts.addressing import inverse_norms, masked_softmax
from memory_cores.parts.associative import (
    READ_STRENGTH,
    STEADY,
    associate_keys_with_values,
    rows_of,
)
from memory_cores.parts.attention import AttentionKind
from memory_cores.parts.checks import require_at_least
from memory_cores.parts.joint_lookup import Stored
from memory_cores.parts.journal import NEVER, JournaledRows
from memory_cores.parts.slot_memory import SlotMemory

#: Threshold of an access (delta): smaller weights do not count.
NEGLIGIBLE = 0.005
#: Initial raw gates: alpha is 0.98 and gamma 0.002, since words added to the slots read last soon
#: obscure their content.
RAW_ALPHA, RAW_GAMMA = 4.0, -6.0


class SAMState(NamedTuple):
    """B sequences, rows of width W, R read heads with K rows each.

    A memory that fits the journal has J = N and M = 0. In a longer one J grows from step to step,
    and M once it is full.
    """

    rows: Tensor  #: [B, J, W]
    age: Tensor  #: [B, J] int64, steps since the last access
    origin: Tensor  #: [B, J] int64; [B, 0] int64 without a base
    base: Tensor  #: [B, M, W]
    base_norms: Tensor  #: [B, M]
    places: Tensor  #: [B, R, K] int64, rows read last; [B, 0, K] int64 where no head reads
    read_weights: Tensor  #: [B, R, K]; [B, 0, K] where no head reads
    write_weights: Tensor  #: [B, 1, J]

    @property
    def memory(self) -> JournaledRows:
        """The rows, in journal and base."""
        return JournaledRows(*self[:5])


class SAM(SlotMemory[SAMState]):
    """Sparse access memory (Rae et al. 2016): reads K of up to 100,000 slots by content.

    It stores one item per step: a set is pooled to its mean, and an empty set writes nothing. The
    single write head also writes to the rows last read by all read heads, with their mean weights.
    Models that read by query attend to each of the step's items, and to all slots
    (``JointLookup``); without read heads a step writes to one new slot.

    Args:
        sizes: given by the model.
        slots: number of slots N; default: the sequence length. Models that read by query have
            at most one per step.
        word_size: width W of a slot.
        read_heads: number of heads R. The papers use 5 in generative temporal models.
        nearest: rows K that a head reads; at most a third of the slots, or 2 if there are
            few, so that some are not accessed.
        attention: kind of the attention for look-ups by query.
        attention_heads: heads of multihead attention.

    Raises:
        ValueError: a number is below 1, queries and keys differ in width, or ``attention``
            is unknown.
    """

    #: Only recorded: used within the same step alone.
    not_carried = ("write_weights",)

    def __init__(
        self,
        sizes: MemorySizes,
        slots: int | None = None,
        word_size: int = 64,
        read_heads: int = 5,
        nearest: int = 8,
        attention: AttentionKind = "multihead",
        attention_heads: int = 8,
    ) -> None:
        super().__init__(sizes)
        self.slots = sizes.slots_of(slots, sizes.steps)
        self.word_size, self.read_heads = word_size, read_heads
        require_at_least(
            1, slots=self.slots, word_size=word_size, read_heads=read_heads, nearest=nearest
        )
        self.nearest = min(nearest, self.slots, max(2, self.slots // 3))
        #: Maximum places of the journal: all rows that a sequence's steps can touch, so that
        #: gradients reach them whatever was stored before.
        self.journal_places = sizes.steps
        if not sizes.query:
            self.journal_places = self.nearest + (read_heads * self.nearest + 1) * sizes.steps
        self._read_parts = [read_heads * word_size, read_heads]
        self.write_word = nn.Linear(sizes.control + sizes.key + sizes.value, word_size)
        self.write_gates = nn.Linear(sizes.control, 1 if sizes.query else 2)
        if not sizes.query:
            self.read_interface = nn.Linear(sizes.control, sum(self._read_parts))
        self._build_lookup(attention, attention_heads)
        if not sizes.plain:
            self._start_as_associative_memory()

    @property
    def state_size(self) -> int:
        """Numbers in a sequence's state when all slots are used: rows, ages, reads."""
        slots = min(self.slots, self.journal_places) if self.sizes.query else self.slots
        return slots * (self.word_size + 1) + 2 * self._heads * self.nearest

    @property
    def graph_steps(self) -> int:
        """Maximum steps per graph; 0 for a memory that grows from step to step."""
        return 0 if self._grows else super().graph_steps

    def initial_state(self, batch_size: int, like: Tensor) -> SAMState:
        """Return an empty memory."""
        B, reads = batch_size, (batch_size, self._heads, self.nearest)
        places = self.nearest if self._grows else min(self.slots, self.journal_places)
        return SAMState(
            *JournaledRows.empty(B, places, self.word_size, like),
            places=torch.zeros(reads, dtype=torch.int64, device=like.device),
            read_weights=like.new_zeros(reads),
            write_weights=like.new_zeros(B, 1, places),
        )

    def write(self, state: SAMState, control: Tensor, items: Items) -> SAMState:
        """Overwrite the least recently accessed row, and add to the rows that were read last."""
        item, present = items.pooled()
        if self._grows:
            state = self._with_room(state)
        memory, place = state.memory.older().least_recently_accessed(self.slots, present)
        fresh = torch.zeros_like(memory.rows[..., 0])
        fresh = fresh.scatter(1, place, present.to(fresh.dtype))
        write, *mix = self.write_gates(control).sigmoid().split(1, 1)
        weights = fresh
        if mix:  # w^W = alpha (gamma w~R_{t-1} + (1 - gamma) I^U), a mean over the heads
            (share,) = mix
            last = present * self._read_mass(state) / self._heads
            weights = torch.lerp(fresh, last.to(fresh.dtype), share.to(fresh.dtype))
        weights = write * weights
        word = self.write_word(torch.cat([control, item], 1))
        # The least recently accessed row is fully erased before the write.
        kept = memory.rows * (1 - fresh).unsqueeze(2)
        rows = torch.addcmul(kept, weights.unsqueeze(2), word.unsqueeze(1))
        memory = memory._replace(rows=rows).accessed(weights, NEGLIGIBLE)
        return SAMState(*memory, state.places, state.read_weights, weights.unsqueeze(1))

    def _read(self, state: SAMState, control: Tensor) -> tuple[Tensor, SAMState]:
        """Read the nearest rows, weighted by their similarity; other rows get no gradient."""
        keys, strengths = self.read_interface(control).split(self._read_parts, 1)
        keys, memory = keys.unflatten(1, (-1, self.word_size)), state.memory
        places, there = memory.nearest(keys, self.nearest)
        rows = memory.at(places)
        beta = F.softplus(strengths) * inverse_norms(keys)
        products = (rows * (keys * beta.unsqueeze(2)).unsqueeze(2)).sum(3)
        weights = masked_softmax(products * inverse_norms(rows), there)
        state = state._replace(places=places, read_weights=weights)
        mass = state.write_weights.squeeze(1) + self._read_mass(state)
        reads = (weights.unsqueeze(3) * rows).sum(2)
        return reads.flatten(1), SAMState(*memory.accessed(mass, NEGLIGIBLE), *state[5:])

    def stored(self, state: SAMState) -> Stored:
        """Return the slots; shares are 1 for those written, else 0."""
        return Stored(state.rows, (state.age < NEVER).to(state.rows.dtype))

    def weightings(self, state: SAMState) -> Weightings:
        """Return weights over slots; if the memory grows, over places and the base's sum."""
        columns = self.journal_places + 1 if self._grows else state.rows.shape[1]
        J = state.rows.shape[1]
        read = state.read_weights.new_zeros(*state.places.shape[:2], columns)
        places = state.places.masked_fill(state.places >= J, columns - 1)
        return Weightings(
            read=read.scatter_add(2, places, state.read_weights),
            write=F.pad(state.write_weights, (0, columns - J)),
        )

    @property
    def _heads(self) -> int:
        """Number of read heads in use."""
        return 0 if self.sizes.query else self.read_heads

    @property
    def _grows(self) -> bool:
        """Whether a model that reads with heads may have more rows than the journal has places."""
        return self.slots > self.journal_places and not self.sizes.query

    def _with_room(self, state: SAMState) -> SAMState:
        """Make room in the journal for all rows that the next write touches."""
        memory, places = state.memory, state.places.flatten(1)
        # Rows read in the journal already have their age, even if they move to the base now.
        mass = state.read_weights.flatten(1) * (places >= memory.rows.shape[1])
        touched = 1 + (places.shape[1] if memory.base.shape[1] else 0)
        if memory.rows.shape[1] + touched > self.journal_places:
            # A step fills one new slot at most.
            steps = (memory.rows.shape[1] - self.nearest) // touched
            most = min(self.slots, memory.base.shape[1] + steps)
            memory, places = memory.settled(most, places, self.nearest)
        memory, places = memory.opened(places, mass, NEGLIGIBLE)
        return SAMState(*memory, places.view_as(state.places), *state[6:])

    def _read_mass(self, state: SAMState) -> Tensor:
        """Sum the read weights of all heads at each place of the journal, [B, J]."""
        J = state.rows.shape[1]
        mass = state.read_weights.new_zeros(len(state.rows), J + 1)
        places = state.places.flatten(1).clamp(max=J)
        return mass.scatter_add(1, places, state.read_weights.flatten(1))[:, :J]

    @torch.no_grad()
    def _start_as_associative_memory(self) -> None:
        """Start by writing each item to a new slot and reading it by key or time."""
        (word,) = rows_of(self.write_word, [self.word_size])
        keys = None
        if not self.sizes.query:
            keys, strengths = rows_of(self.read_interface, self._read_parts)
            strengths.bias.fill_(READ_STRENGTH)
            strengths.weight.mul_(STEADY)
        associate_keys_with_values(word, keys, self.word_size, self.sizes)
        self.write_gates.weight.zero_()
        gates = torch.tensor([RAW_ALPHA, RAW_GAMMA])
        self.write_gates.bias.copy_(gates[: len(self.write_gates.bias)])
