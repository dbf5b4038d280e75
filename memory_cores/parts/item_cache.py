"""Base of cores that store the last items, one per slot, and attend to them."""

from abc import abstractmethod
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from memory_cores.core import Items, MemoryCore, Recollections, Weightings
from memory_cores.parts.attention import Attention, Prepared
from memory_cores.parts.cache_attention import CacheAttention
from memory_cores.parts.checks import require_as_wide_as_keys, require_at_least
from memory_cores.parts.context_store import ContextStore, recollected
from memory_cores.parts.item_order import shuffled
from memory_cores.parts.item_queue import by_item, pushed
from memory_cores.parts.real_points import RealPoints
from memory_cores.parts.step_positions import PositionKind

#: A number of slots, or room for all items.
Slots = int | Literal["all"]


class ItemCacheState(NamedTuple):
    """B sequences, N slots, R read heads, the I items of the current step. All zero at first.

    Read heads see the slots, with the current items included. Models that read by query see the
    current items and the slots, which then store earlier items. Slots are a queue, newest first, or
    for the read heads of a ``ContextWindow`` a ring with a spare row.
    """

    keys: Tensor  #: [B, N, E], projected for read heads of a queue; [B, N + 1, E] in a ring
    values: Tensor  #: [B, N, Dv]; [B, N + 1, Dv] in a ring
    steps: Tensor  #: [B, N] int64, step in which each was written; zero if not needed
    now: Tensor  #: [B, 1] int64, the present step, from 1 on
    written: Tensor  #: [B, 1] int64, items so far; by query, those moved to the slots
    item_keys: Tensor  #: [B, I, Dk]; I is 0 where there are read heads
    item_values: Tensor  #: [B, I, Dv]
    item_mask: Tensor  #: [B, I] bool
    wrote: Tensor  #: [B, 1], number of items written last
    read_weights: Tensor  #: [B, R, N]


class ItemCache(MemoryCore[ItemCacheState]):
    """Base class of cores whose look-ups attend to all items of the step and the N before it.

    With a ``CacheAttention`` look-ups see how long ago an item was written, by positions of steps;
    items of a set share one position. If the slots have room for only some items of a set, a
    pseudo-random function of their content selects those kept, as in ``ContextWindow``.

    Subclasses call ``_build_cache``, build an ``attention`` if the model reads by query, and define
    how read heads store and read items.
    """

    unroll_recurs = False
    slots: Slots
    attention: Attention

    def _build_cache(
        self, slots: Slots | None, read_heads: int, attention_heads: int, fewest: int = 1
    ) -> None:
        """Set the attributes.

        Raises:
            ValueError: a number of heads is below 1, slots are below ``fewest`` or "all" with read
                heads, or queries and keys differ in width.
        """
        sizes = self.sizes
        require_at_least(1, read_heads=read_heads, attention_heads=attention_heads)
        self.slots = slots if slots == "all" else sizes.slots_of(slots, sizes.steps)
        if self.slots != "all":
            require_at_least(fewest, slots=self.slots)
        elif not sizes.query:
            raise ValueError("slots must be a number in models that read with heads, got all")
        require_as_wide_as_keys(sizes.query, sizes.key)
        self.read_heads = 0 if sizes.query else read_heads
        self.not_carried = ("wrote", "read_weights")

    def _build_positions(self, heads: int, positions: PositionKind, top_k: int | None) -> None:
        """Build an attention with positions of steps, if the model reads by query.

        Raises:
            ValueError: ``top_k`` is below 1, or ``positions`` is unknown.
        """
        if top_k is not None:
            require_at_least(1, top_k=top_k)
        sizes = self.sizes
        if not sizes.query:
            return
        attention = CacheAttention(sizes.key, sizes.value, heads, positions, sizes.steps, top_k)
        self.attention = attention
        if not attention.positions.tell_steps:
            self.not_carried += ("steps", "now")

    @property
    @abstractmethod
    def kept_size(self) -> int:
        """Width E of a key stored for read heads."""

    @abstractmethod
    def _keep(self, state: ItemCacheState, items: Items) -> ItemCacheState:
        """Store the step's items for read heads."""

    @property
    def state_size(self) -> int | None:
        """Numbers that a sequence's state carries from step to step; None with all items.

        The index of the present step does not count: it is the same for all sequences.
        """
        carried = None if self.slots == "all" else super().state_size
        return carried if carried is None or "now" in self.not_carried else carried - 1

    def initial_state(self, batch_size: int, like: Tensor) -> ItemCacheState:
        """Return empty slots."""
        B, N, sizes = batch_size, self._capacity(0), self.sizes
        return ItemCacheState(
            keys=like.new_zeros(B, N, sizes.key if sizes.query else self.kept_size),
            values=like.new_zeros(B, N, sizes.value),
            steps=like.new_zeros(B, N, dtype=torch.int64),
            now=like.new_zeros(B, 1, dtype=torch.int64),
            written=like.new_zeros(B, 1, dtype=torch.int64),
            item_keys=like.new_zeros(B, 0, sizes.key),
            item_values=like.new_zeros(B, 0, sizes.value),
            item_mask=like.new_zeros(B, 0, dtype=torch.bool),
            wrote=like.new_zeros(B, 1),
            read_weights=like.new_zeros(B, self.read_heads, N),
        )

    def write(self, state: ItemCacheState, control: Tensor, items: Items) -> ItemCacheState:
        """Store the items in place of the oldest; for look-ups by query, one step later."""
        if not self.sizes.query:
            return self._keep(state, items)
        items = cleaned(items)
        earlier = Items(state.item_keys, state.item_values, state.item_mask)
        return self._put(state, earlier, age=1)._replace(
            item_keys=items.keys, item_values=items.values, item_mask=items.mask
        )

    def weightings(self, state: ItemCacheState) -> Weightings:
        """Return weights over slots that keep their item; none in models that read by query."""
        if self.sizes.query:
            nothing = state.values.new_zeros(len(state.values), 0, state.values.shape[1])
            return Weightings(nothing, nothing)
        return by_item(state.read_weights, state.written, state.wrote)

    def snapshot(self, state: ItemCacheState, items: Items) -> Prepared:
        """Return the current items and those in the slots, both from the state."""
        current = (state.item_keys, state.item_values, state.item_mask)
        earlier = (state.keys, state.values, self._occupied(state))
        items = Items(*(torch.cat(parts, 1) for parts in zip(earlier, current, strict=True)))
        steps = torch.cat([state.steps, state.now.expand_as(state.item_mask)], 1)
        return self.attention.prepare_at(items, steps - state.now)

    def lookup(
        self,
        snapshot: Prepared | ContextStore,
        queries: Tensor,
        real: RealPoints | None = None,
    ) -> Tensor:
        """Attend to the current items and those in the slots."""
        if isinstance(snapshot, Prepared):  # steps are relative to the present
            return self.attention.attend(self.attention.ask_at(queries, None, real), snapshot, real)
        steps = torch.arange(queries.shape[1], device=queries.device).unsqueeze(1)
        projected = self.attention.ask_at(queries, steps, real)
        return snapshot.attended(self.attention, projected, real)

    def pool(self, state: ItemCacheState) -> tuple[Tensor, Tensor]:
        """Sum the values in the slots; empty ones are zero."""
        number = self._occupied(state).sum(1, keepdim=True)
        return state.values.sum(1), number.to(state.values.dtype)

    def unroll(
        self,
        controls: Tensor,
        items: Items,
        observed: Tensor | None = None,
        noise: Tensor | None = None,
    ) -> Recollections:
        """Write all steps at once: each sees a range of rows of one store."""
        most = self._capacity(items.mask.shape[1] * items.mask.shape[2])
        return recollected(items, most, self.attention.prepare_at)

    def _capacity(self, rows: int) -> int:
        """Return the number of slots for at most this many earlier items."""
        return rows if self.slots == "all" else self.slots

    def _occupied(self, state: ItemCacheState) -> Tensor:
        """Return a mask of the rows with an item, [B, N] bool; [B, N + 1] in a ring."""
        rows = state.keys.shape[1]
        row = torch.arange(rows, device=state.keys.device)
        return row < state.written.clamp(max=self._capacity(rows))

    def _put(self, state: ItemCacheState, items: Items, age: int) -> ItemCacheState:
        """Push items of an age to the front of the slots, the last one first."""
        filled, grows = self._occupied(state), self.slots == "all"
        keys, values, mask = items if items.mask.shape[1] == 1 else (x.flip(1) for x in items)
        now, steps = state.now + 1, state.steps
        if self.sizes.query or "steps" not in self.not_carried:
            new = (now - age).expand_as(mask).unsqueeze(2)
            steps = pushed(steps.unsqueeze(2), new, mask, filled, grows).squeeze(2)
        number = mask.sum(1, keepdim=True)
        return state._replace(
            keys=pushed(state.keys, keys.to(state.keys.dtype), mask, filled, grows),
            values=pushed(state.values, values, mask, filled, grows),
            steps=steps,
            now=now,
            written=state.written + number,
            wrote=number.to(state.wrote.dtype),
        )


def cleaned(items: Items) -> Items:
    """Return items in an order that depends on their content alone, with zeros for padding."""
    if items.mask.shape[1] != 1:
        return shuffled(items)
    # The usual case in a loop over time.
    hole = ~items.mask.unsqueeze(2)
    return Items(items.keys.masked_fill(hole, 0), items.values.masked_fill(hole, 0), items.mask)
