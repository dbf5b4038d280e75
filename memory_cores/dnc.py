"""Differentiable Neural Computer: content, allocation and temporal links (Graves et al. 2016)."""

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from memory_cores.core import Items, MemorySizes
from memory_cores.kernels import building
from memory_cores.kernels import dnc as dnc_kernel
from memory_cores.parts.addressing import (
    allocation_weights,
    content_weights,
    erase_and_add,
    linked,
    preceded,
    retention,
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
from memory_cores.parts.sparse_links import SparseRows, linked_rows, no_links, stepped


class DNCState(NamedTuple):
    """B sequences, N slots of width W, R read heads, H write heads. All zero at first.

    Only read heads follow links: without read heads there are no links and no precedence.
    """

    memory: Tensor  #: [B, N, W]
    usage: Tensor  #: [B, N] in [0, 1]
    precedence: Tensor  #: [B, H, N]; [B, 0, N]
    link: Tensor  #: [B, H, N, N], zero diagonal; [B, 0, N, N]
    write_weights: Tensor  #: [B, H, N]
    read_weights: Tensor  #: [B, R, N]


class SparseDNCState(NamedTuple):
    """A ``DNCState`` with only the K strongest links of each slot, in either direction."""

    memory: Tensor  #: [B, N, W]
    usage: Tensor  #: [B, N] in [0, 1]
    precedence: Tensor  #: [B, H, N]
    sources: Tensor  #: [B, H, N, K] int64, slots written just before each slot
    from_sources: Tensor  #: [B, H, N, K], weights of these links, from rows of the link matrix
    targets: Tensor  #: [B, H, N, K] int64, slots written just after each slot
    to_targets: Tensor  #: [B, H, N, K], weights of these links, from rows of its transpose
    write_weights: Tensor  #: [B, H, N]
    read_weights: Tensor  #: [B, R, N]


class WriteInterface(NamedTuple):
    """Parameters of the write heads in one step, from the controller."""

    keys: Tensor  #: [B, H, W]
    vectors: Tensor  #: [B, H, W]
    erase: Tensor  #: [B, H, W] in [0, 1]
    strengths: Tensor  #: [B, H], non-negative
    allocation_gates: Tensor  #: [B, H] in [0, 1]: 1 writes to free slots, 0 by content
    write_gates: Tensor  #: [B, H] in [0, 1]: 0 writes nothing
    free_gates: Tensor  #: [B, R] in [0, 1]: 1 frees the slots read last


class ReadInterface(NamedTuple):
    """Parameters of the read heads in one step, from the controller."""

    keys: Tensor  #: [B, R, W]
    strengths: Tensor  #: [B, R], non-negative
    backward_modes: Tensor  #: [B, R, H]; the modes of a read head sum to 1
    forward_modes: Tensor  #: [B, R, H]
    content_modes: Tensor  #: [B, R, 1]


class DNC(SlotMemory[DNCState | SparseDNCState]):
    """Differentiable neural computer (Graves et al. 2016): reads by content and temporal links.

    The model supplies the controller. Order in a step: usage, write, link, read.

    It stores one item per step: a set is pooled to its mean, and an empty set closes the write
    gates.
    Models that read by query attend to each of the step's items and to the slots (``JointLookup``).

    Args:
        sizes: given by the model.
        slots: number of slots N; default: the sequence length.
        word_size: width W of a slot.
        read_heads: number of read heads R. The papers use 5 in generative temporal models; models
            that read by query have none.
        write_heads: number of write heads H.
        sparse_links: number K of links per slot (8 in Rae et al. 2016), so that time and memory are
            linear in the slots; default: all, in an N x N matrix. Models that read by query have no
            links.
        attention: kind of the attention for look-ups by query.
        attention_heads: heads of multihead attention.

    Raises:
        ValueError: a number is below 1, queries and keys differ in width, or ``attention``
            is unknown.
    """

    def __init__(
        self,
        sizes: MemorySizes,
        slots: int | None = None,
        word_size: int = 64,
        read_heads: int = 5,
        write_heads: int = 1,
        sparse_links: int | None = None,
        attention: AttentionKind = "multihead",
        attention_heads: int = 8,
    ) -> None:
        super().__init__(sizes)
        self.slots = sizes.slots_of(slots, sizes.steps)
        self.word_size, self.write_heads = word_size, write_heads
        self.read_heads = 0 if sizes.query else read_heads
        require_at_least(
            1, slots=self.slots, word_size=word_size, read_heads=read_heads, write_heads=write_heads
        )
        if sparse_links is not None:
            require_at_least(1, sparse_links=sparse_links)
            sparse_links = min(sparse_links, self.slots)
        self.sparse_links = sparse_links if self.read_heads else None
        # The C++ operators support one write head and full links, as in the paper.
        self._has_operators = write_heads == 1 and self.sparse_links is None
        W, R, H = word_size, self.read_heads, write_heads
        self._write_parts = [H * W, H * W, H * W, H, H, H, R]
        self._read_parts = [R * W, R, R * (1 + 2 * H)]
        inputs = sizes.control + sizes.key + sizes.value
        self.write_interface = nn.Linear(inputs, sum(self._write_parts))
        self._build_lookup(attention, attention_heads)
        if R:
            self.read_interface = nn.Linear(sizes.control, sum(self._read_parts))
        if not sizes.plain:
            self._start_as_associative_memory()

    @property
    def state_size(self) -> int | None:
        """Numbers that a sequence's state carries from one step to the next.

        The zero diagonal of the link matrix does not count.
        """
        size = super().state_size
        if size is not None and self.read_heads and self.sparse_links is None:
            size -= self.write_heads * self.slots
        return size

    def initial_state(self, batch_size: int, like: Tensor) -> DNCState | SparseDNCState:
        """Return empty memory, unused slots, no links."""
        B, N, W, R, H = batch_size, self.slots, self.word_size, self.read_heads, self.write_heads
        link_heads = H if R else 0
        parts = {
            "memory": like.new_zeros(B, N, W),
            "usage": like.new_zeros(B, N),
            "precedence": like.new_zeros(B, link_heads, N),
            "write_weights": like.new_zeros(B, H, N),
            "read_weights": like.new_zeros(B, R, N),
        }
        if self.sparse_links is None:
            return DNCState(link=like.new_zeros(B, link_heads, N, N), **parts)
        sources, targets = (no_links((B, H, N, self.sparse_links), like) for _ in range(2))
        return SparseDNCState(
            sources=sources.slots,
            from_sources=sources.links,
            targets=targets.slots,
            to_targets=targets.links,
            **parts,
        )

    def write(
        self, state: DNCState | SparseDNCState, control: Tensor, items: Items
    ) -> DNCState | SparseDNCState:
        """Free slots, address them, erase and add, and link them in write order."""
        item, present = self._write_inputs(state, control, items)
        if self._is_served(state):
            written = dnc_kernel.write(state, present, item, self.write_interface)
            return DNCState(*written, state.read_weights)
        raw = self.write_interface(item).to(state.memory.dtype)  # not lowered by autocast
        return self._write(state, raw, present)

    def _read(
        self, state: DNCState | SparseDNCState, control: Tensor
    ) -> tuple[Tensor, DNCState | SparseDNCState]:
        """Mix content look-up with forward and backward steps along the links."""
        raw = self.read_interface(control).to(state.memory.dtype)
        interface = self._read_interface(raw)
        content = content_weights(state.memory, interface.keys, interface.strengths)
        # Links fade by 1 - w[i] - w[j], which rounding can take below 0.
        steps = followed(state, interface).clamp(min=0)
        weights = interface.content_modes * content + steps
        reads = torch.bmm(weights, state.memory).flatten(1)
        return reads, state._replace(read_weights=weights)

    def write_and_read(
        self,
        state: DNCState | SparseDNCState,
        control: Tensor,
        items: Items,
        observed: Tensor | None = None,
        noise: Tensor | None = None,
    ) -> tuple[Tensor, DNCState | SparseDNCState, Tensor]:
        """Write, then read."""
        if not (self.read_heads and self._is_served(state)):
            return super().write_and_read(state, control, items)
        item, present = self._write_inputs(state, control, items)
        step = dnc_kernel.step(
            state, present, item, self.write_interface, control, self.read_interface
        )
        memory, usage, precedence, link, writes, reads, weights = step
        state = DNCState(memory, usage, precedence, link, writes, weights)
        return reads, state, control.new_zeros(len(control))

    def stored(self, state: DNCState | SparseDNCState) -> Stored:
        """Return the slots, with their usage after the last write as shares."""
        return Stored(state.memory, usage_after_write(state.usage, state.write_weights))

    @torch.no_grad()
    def _start_as_associative_memory(self) -> None:
        """Start with words whose values can be looked up by key or by time."""
        self._open_gates()
        _, words, *_ = rows_of(self.write_interface, self._write_parts)
        keys = self._start_reading_sharply() if self.read_heads else None
        associate_keys_with_values(words, keys, self.word_size, self.sizes)

    def _open_gates(self) -> None:
        """Start by writing every item to a separate slot.

        PyTorch's default spreads half of each item over all slots.
        """
        *_, allocation, write, free = self.write_interface.bias.split(self._write_parts)
        allocation.fill_(2.0)  # g^a is 0.88: to free slots
        write.fill_(2.0)  # g^w is 0.88
        free.fill_(-3.0)  # f is 0.05: reading frees little

    def _start_reading_sharply(self) -> Affine:
        """Start with sharp reads by content; return the rows of the keys."""
        keys, strengths, modes = rows_of(self.read_interface, self._read_parts)
        strengths.bias.fill_(READ_STRENGTH)
        strengths.weight.mul_(STEADY)
        modes.bias.view(self.read_heads, -1)[:, -1] = 2.0  # content
        modes.weight.mul_(0.3)
        return keys

    def _is_served(self, state: DNCState | SparseDNCState) -> bool:
        """Tell whether the C++ operators support this core and state."""
        return self._has_operators and building.serve(state.memory, self.write_interface.weight)

    def _write_inputs(
        self, state: DNCState | SparseDNCState, control: Tensor, items: Items
    ) -> tuple[Tensor, Tensor]:
        """Return [control; item], [B, control + key + value], and whether there is one, [B, 1]."""
        item, present = items.pooled()
        return torch.cat([control, item], 1), present.to(state.memory.dtype)

    def _write(
        self, state: DNCState | SparseDNCState, raw: Tensor, present: Tensor
    ) -> DNCState | SparseDNCState:
        interface = self._write_interface(raw, present)
        # As in the reference implementation, usage passes no gradient to the write weights.
        usage = usage_after_write(state.usage, state.write_weights.detach())
        # u_t = (u_{t-1} + w^w_{t-1} - u_{t-1} w^w_{t-1}) psi_t: usage lags one write behind,
        # and slots freed by the free gates are available to this write.
        usage = usage * retention(state.read_weights, interface.free_gates)
        weights = self._write_weights(state.memory, usage, interface)
        memory = erase_and_add(state.memory, weights, interface.erase, interface.vectors)
        if self.read_heads:
            precedence = preceded(state.precedence, weights)
            state = with_links_after(state, weights)._replace(precedence=precedence)
        return state._replace(memory=memory, usage=usage, write_weights=weights)

    def _write_interface(self, raw: Tensor, present: Tensor) -> WriteInterface:
        H, heads = self.write_heads, (-1, self.write_heads, self.word_size)
        vectors, strengths, gates = raw.split(
            [3 * H * self.word_size, H, 2 * H + self.read_heads], 1
        )
        keys, vectors, erase = vectors.chunk(3, 1)
        allocation, write, free = gates.sigmoid().split([H, H, self.read_heads], 1)
        return WriteInterface(
            keys=keys.view(heads),
            vectors=vectors.view(heads),
            erase=erase.sigmoid().view(heads),
            strengths=F.softplus(strengths),
            allocation_gates=allocation,
            write_gates=write * present,  # an empty set writes nothing
            free_gates=free,
        )

    def _read_interface(self, raw: Tensor) -> ReadInterface:
        keys, strengths, modes = raw.split(self._read_parts, 1)
        R, H = self.read_heads, self.write_heads
        backward, forward, content = modes.view(-1, R, 1 + 2 * H).softmax(2).split([H, H, 1], 2)
        return ReadInterface(
            keys=keys.view(-1, R, self.word_size),
            strengths=F.softplus(strengths),
            backward_modes=backward,
            forward_modes=forward,
            content_modes=content,
        )

    def _write_weights(self, memory: Tensor, usage: Tensor, interface: WriteInterface) -> Tensor:
        content = content_weights(memory, interface.keys, interface.strengths)
        allocation = self._allocation(usage, interface.allocation_gates * interface.write_gates)
        # Not torch.lerp: it rejects the mixed dtypes that autocast produces.
        weights = content + interface.allocation_gates.unsqueeze(2) * (allocation - content)
        return interface.write_gates.unsqueeze(2) * weights

    def _allocation(self, usage: Tensor, gates: Tensor) -> Tensor:
        """Allocate for one write head after another; each sees the slots already taken."""
        allocations = [allocation_weights(usage)]
        for head in range(self.write_heads - 1):
            usage = usage + (1 - usage) * gates[:, head : head + 1] * allocations[-1]
            allocations.append(allocation_weights(usage))
        return torch.stack(allocations, 1)


def with_links_after(state: DNCState | SparseDNCState, weights: Tensor) -> Any:
    """Return the state with its links updated by write weights [B, H, N]."""
    if isinstance(state, DNCState):
        return state._replace(link=linked(state.link, state.precedence, weights))
    sources = SparseRows(state.sources, state.from_sources)
    targets = SparseRows(state.targets, state.to_targets)
    sources = linked_rows(sources, weights, weights, state.precedence)
    targets = linked_rows(targets, weights, state.precedence, weights)
    return state._replace(
        sources=sources.slots,
        from_sources=sources.links,
        targets=targets.slots,
        to_targets=targets.links,
    )


def followed(state: DNCState | SparseDNCState, interface: ReadInterface) -> Tensor:
    """Follow the links of all write heads from the last reads, both ways (``b``, ``f``).

    Returns:
        weights: [B, R, N], the sum over directions and write heads, each times its mode.
    """
    last = state.read_weights
    if isinstance(state, SparseDNCState):
        sources = SparseRows(state.sources, state.from_sources)
        targets = SparseRows(state.targets, state.to_targets)
        forward = stepped(sources, last, interface.forward_modes)
        return forward + stepped(targets, last, interface.backward_modes)
    link = state.link.flatten(1, 2)  # [B, H * N, N]
    forward = torch.bmm(last, link.mT).view(*last.shape[:2], *state.link.shape[1:3])
    forward = (interface.forward_modes.unsqueeze(3) * forward).sum(2)
    # Modes multiply the reads, so that one product also sums over the write heads.
    backward = (interface.backward_modes.unsqueeze(3) * last.unsqueeze(2)).flatten(2)
    return forward + torch.bmm(backward, link)
