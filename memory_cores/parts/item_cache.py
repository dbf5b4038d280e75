"""Base of cores that keep the last items, each in a slot, with the time since it was written."""

from abc import abstractmethod
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from memory_cores.core import Items, MemoryCore, Recollections, Weightings
from memory_cores.parts.attention import Prepared
from memory_cores.parts.cache_attention import CacheAttention
from memory_cores.parts.checks import require_as_wide_as_keys, require_at_least
from memory_cores.parts.context_store import ContextStore, recollected
from memory_cores.parts.item_order import shuffled
from memory_cores.parts.item_queue import by_item, pushed
from memory_cores.parts.real_points import RealPoints
from memory_cores.parts.step_positions import PositionKind

#: A number of slots, or room for whatever comes.
Slots = int | Literal["all"]


class ItemCacheState(NamedTuple):
    """B sequences, N slots, R read heads, the I items of the current step. All zero at first.

    Read heads see the slots, with the current items. Models that read by query see the current
    items beside the slots, which then hold earlier ones.
    """

    keys: Tensor  #: [B, N, E], the newest in front; for read heads as the core keeps them
    values: Tensor  #: [B, N, Dv]
    steps: Tensor  #: [B, N] int64, in which each was written; zero where nothing asks for it
    now: Tensor  #: [B, 1] int64, the present step, from 1 on
    written: Tensor  #: [B, 1] int64, items so far; those in the slots, with look-ups by query
    item_keys: Tensor  #: [B, I, Dk]; I is 0 where there are read heads
    item_values: Tensor  #: [B, I, Dv]
    item_mask: Tensor  #: [B, I] bool
    wrote: Tensor  #: [B, 1], items of the last step
    read_weights: Tensor  #: [B, R, N]


class ItemCache(MemoryCore[ItemCacheState]):
    """Base class of cores whose look-ups attend to all items of the step and the N before it.

    Look-ups see how long ago an item was written, by positions of steps; nothing is positioned
    within a set. Where the slots have room for only some items of a set, a scrambled function of
    their content chooses those that stay, as in ``ContextWindow``.

    Subclasses call ``_build_cache``, and define how read heads keep items and read them.
    """

    unroll_recurs = False
    slots: Slots

    def _build_cache(
        self,
        slots: Slots | None,
        read_heads: int,
        positions: PositionKind,
        top_k: int | None,
        attention_heads: int,
    ) -> None:
        """Take the settings, and make the attention of models that read by query.

        Raises:
            ValueError: a number is below 1, slots are "all" with read heads, queries are not as
                wide as keys, or there are no such positions.
        """
        sizes = self.sizes
        require_at_least(1, read_heads=read_heads, attention_heads=attention_heads)
        self.slots = slots if slots == "all" else sizes.slots_of(slots, sizes.steps)
        if self.slots != "all":
            require_at_least(1, slots=self.slots)
        elif not sizes.query:
            raise ValueError("slots must be a number in models that read with heads, got all")
        if top_k is not None:
            require_at_least(1, top_k=top_k)
        require_as_wide_as_keys(sizes.query, sizes.key)
        self.read_heads = 0 if sizes.query else read_heads
        self.not_carried = ("wrote", "read_weights")
        if sizes.query:
            self.attention = CacheAttention(
                sizes.key, sizes.value, attention_heads, positions, sizes.steps, top_k
            )
            if not self.attention.positions.tell_steps:
                self.not_carried += ("steps", "now")

    @property
    @abstractmethod
    def kept_size(self) -> int:
        """Width E of a key as read heads keep it."""

    @abstractmethod
    def _keep(self, state: ItemCacheState, items: Items) -> ItemCacheState:
        """Put the step's items where read heads find them."""

    @property
    def state_size(self) -> int | None:
        """Numbers that a sequence's state hands from one step to the next; None with all items.

        The present step's does not count, which says nothing of a sequence.
        """
        carried = None if self.slots == "all" else super().state_size
        return carried if carried is None or "now" in self.not_carried else carried - 1

    def initial_state(self, batch_size: int, like: Tensor) -> ItemCacheState:
        """Return empty slots."""
        B, N, sizes = batch_size, self._held_of(0), self.sizes
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
        """Put the items in place of the oldest ones; those of a model that asks, a step later."""
        if not self.sizes.query:
            return self._keep(state, items)
        items = cleaned(items)
        earlier = Items(state.item_keys, state.item_values, state.item_mask)
        return self._put(state, earlier, age=1)._replace(
            item_keys=items.keys, item_values=items.values, item_mask=items.mask
        )

    def weightings(self, state: ItemCacheState) -> Weightings:
        """Return the weights by slots that keep their item; none for models that read by query."""
        if self.sizes.query:
            nothing = state.values.new_zeros(len(state.values), 0, state.values.shape[1])
            return Weightings(nothing, nothing)
        return by_item(state.read_weights, state.written, state.wrote)

    def snapshot(self, state: ItemCacheState, items: Items) -> Prepared:
        """Return the current items and those in the slots; the state has both."""
        current = (state.item_keys, state.item_values, state.item_mask)
        held = (state.keys, state.values, self._held(state))
        seen = Items(*(torch.cat(parts, 1) for parts in zip(held, current, strict=True)))
        steps = torch.cat([state.steps, state.now.expand_as(state.item_mask)], 1)
        return self.attention.prepare_at(seen, steps - state.now)

    def lookup(
        self,
        snapshot: Prepared | ContextStore,
        queries: Tensor,
        real: RealPoints | None = None,
    ) -> Tensor:
        """Attend to the current items and those in the slots."""
        if isinstance(snapshot, Prepared):  # its steps are counted back from the present one
            return self.attention.attend(self.attention.ask_at(queries, None, real), snapshot, real)
        steps = torch.arange(queries.shape[1], device=queries.device).unsqueeze(1)
        asking = self.attention.ask_at(queries, steps, real)
        return snapshot.attended(self.attention, asking, real)

    def pool(self, state: ItemCacheState) -> tuple[Tensor, Tensor]:
        """Sum the values in the slots; empty ones are zero."""
        number = self._held(state).sum(1, keepdim=True)
        return state.values.sum(1), number.to(state.values.dtype)

    def unroll(
        self,
        controls: Tensor,
        items: Items,
        observed: Tensor | None = None,
        noise: Tensor | None = None,
    ) -> Recollections:
        """Write all steps at once: each sees a range of the rows of one store."""
        most = self._held_of(items.mask[0].numel())
        return recollected(items, most, self.attention.prepare_at)

    def _held_of(self, rows: int) -> int:
        """Return the most items held of so many."""
        return rows if self.slots == "all" else self.slots

    def _held(self, state: ItemCacheState) -> Tensor:
        """Tell which slots hold an item, [B, N] bool."""
        return torch.arange(state.keys.shape[1], device=state.keys.device) < state.written

    def _put(self, state: ItemCacheState, items: Items, age: int) -> ItemCacheState:
        """Put items of an age in front of the slots, the last one first."""
        there, grows = self._held(state), self.slots == "all"
        keys, values, mask = items if items.mask.shape[1] == 1 else (x.flip(1) for x in items)
        now, steps = state.now + 1, state.steps
        if self.sizes.query or "steps" not in self.not_carried:
            new = (now - age).expand_as(mask).unsqueeze(2)
            steps = pushed(steps.unsqueeze(2), new, mask, there, grows).squeeze(2)
        number = mask.sum(1, keepdim=True)
        return state._replace(
            keys=pushed(state.keys, keys.to(state.keys.dtype), mask, there, grows),
            values=pushed(state.values, values, mask, there, grows),
            steps=steps,
            now=now,
            written=state.written + number,
            wrote=number.to(state.wrote.dtype),
        )


def cleaned(items: Items) -> Items:
    """Return items in an order of their own, with zeros for padding."""
    if items.mask.shape[1] != 1:
        return shuffled(items)
    # The usual case inside a loop over time.
    hole = ~items.mask.unsqueeze(2)
    return Items(items.keys.masked_fill(hole, 0), items.values.masked_fill(hole, 0), items.mask)
