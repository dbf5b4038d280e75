"""Transformer cache: causal attention over keys and values of all past items (Vaswani et al. 2017).

A read head r asks in step t, under the control h, for items i with keys k_i that were written in
steps s_i <= t:

    read = sum_i softmax_i(score(W^q h, W^k k_i, t - s_i)) value_i

with ALiBi's or rotary positions of the steps (``StepPositions``). Nothing is positioned within a
set: its items are of one step, whatever their order.
"""

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from memory_cores.core import Items, MemoryCore, MemorySizes, Recollections, Weightings
from memory_cores.parts.addressing import masked_softmax
from memory_cores.parts.associative import CONTENT_SHARE, SHARP, STEADY, spread_lags
from memory_cores.parts.attention import MultiheadAttention, Prepared
from memory_cores.parts.checks import require_at_least
from memory_cores.parts.clock import centre, turned
from memory_cores.parts.context_store import ContextStore, recollected
from memory_cores.parts.hand_attention import LENGTH
from memory_cores.parts.item_order import shuffled
from memory_cores.parts.item_queue import by_item, pushed
from memory_cores.parts.real_points import RealPoints
from memory_cores.parts.step_positions import PositionKind, StepPositions, best

#: Exponent by which a head that starts at a lag prefers it to all others: a lag between two heads
#: starts with about a uniform look-up's weight.
AT_LAG = 5.0
#: Size of the entries of keys that are controllers' states.
STATE = 1 / 3


class TransformerCacheState(NamedTuple):
    """B sequences, N slots, R read heads, the I items of the current step. All zero at first.

    Read heads see the slots, with the current items. Models that ask by query see the current items
    beside the slots, which then hold earlier ones.
    """

    keys: Tensor  #: [B, N, E], the newest in front; projected for R heads, or as they are
    values: Tensor  #: [B, N, Dv]
    ages: Tensor  #: [B, N] int64, steps since each was written
    written: Tensor  #: [B, 1] int64, items so far; those in the slots, for models that ask by query
    item_keys: Tensor  #: [B, I, Dk]; I is 0 where there are read heads
    item_values: Tensor  #: [B, I, Dv]
    item_mask: Tensor  #: [B, I] bool
    wrote: Tensor  #: [B, 1], items of the last step
    read_weights: Tensor  #: [B, R, N]


class CacheAttention(MultiheadAttention):
    """Multihead attention over the items of steps, with positions, over all or the best.

    Args:
        key_size: width Dk of keys and queries.
        value_size: width Dv of values.
        heads: number of heads.
        positions: kind of the positions.
        steps: length T of a sequence.
        top_k: items that a head sees, those with the highest scores; None for all.
    """

    def __init__(
        self,
        key_size: int,
        value_size: int,
        heads: int,
        positions: PositionKind,
        steps: int,
        top_k: int | None,
    ) -> None:
        super().__init__(key_size, value_size, heads)
        width = self.keys.out_features // heads
        self.positions, self.top_k = StepPositions(positions, heads, width, steps), top_k

    def prepare_at(self, items: Items, steps: Tensor) -> Prepared:
        """Prepare items [..., N, ...] of steps [..., N]."""
        prepared = self.prepare(*items)
        codes = prepared.keys.unflatten(-1, (self.heads, -1))
        return prepared._replace(keys=self.positions.in_keys(codes, steps).flatten(-2))

    def ask_at(
        self, queries: Tensor, steps: Tensor | None, real: RealPoints | None = None
    ) -> Tensor:
        """Encode and project queries [..., M, Dk] of steps [..., M], or of step 0."""
        codes = self.ask(queries, real).unflatten(-1, (self.heads, -1))
        return self.positions.in_queries(codes, steps).flatten(-2)

    def weights(self, queries: Tensor, memory: Prepared) -> Tensor:
        """Return the weights [..., H, M, N] of projected queries."""
        scores = self.scores(self._split(queries), self._split(memory.keys))
        visible = memory.visible.unsqueeze(-3)
        return masked_softmax(scores, best(scores, visible, self.top_k))

    def read(self, queries: Tensor, memory: Prepared) -> Tensor:
        """Read with all heads, in one fused call unless they see only the best."""
        if self.top_k is None:
            return super().read(queries, memory)
        return self._mixed(self.weights(queries, memory), memory)


class TransformerCache(MemoryCore[TransformerCacheState]):
    """Cache of the last N items, read by heads with projected keys and positions of the steps.

    Where it has room for only some items of a set, a scrambled function of their content chooses
    those that stay, as in ``ContextWindow``.

    Args:
        sizes: given by the model.
        slots: number of items N; default: the sequence length, which is all of a model that writes
            one a step. For models that ask by query also "all".
        read_heads: number of heads R; models that ask by query have none.
        head_size: width E of a read head's keys and queries.
        positions: kind of the positions of steps.
        top_k: items that a head sees, those with the highest scores; default: all.
        attention_heads: heads of the attention for look-ups by query.

    Raises:
        ValueError: a number is too small, slots are "all" with read heads, queries are not as wide
            as keys, or there are no such positions.
    """

    unroll_recurs = False

    def __init__(
        self,
        sizes: MemorySizes,
        slots: int | Literal["all"] | None = None,
        read_heads: int = 5,
        head_size: int = 32,
        positions: PositionKind = "rotary",
        top_k: int | None = None,
        attention_heads: int = 8,
    ) -> None:
        super().__init__(sizes)
        self.slots = slots if slots == "all" else sizes.slots_of(slots, sizes.steps)
        self.read_heads, self.top_k = 0 if sizes.query else read_heads, top_k
        numbers = {"read_heads": read_heads, "head_size": head_size}
        require_at_least(1, attention_heads=attention_heads, **numbers)
        if self.slots != "all":
            require_at_least(1, slots=self.slots)
        elif not sizes.query:
            raise ValueError("slots must be a number in models that read with heads, got all")
        if top_k is not None:
            require_at_least(1, top_k=top_k)
        if sizes.query not in (0, sizes.key):
            raise ValueError(f"queries must be as wide as keys, {sizes.key}, got {sizes.query}")
        if sizes.query:
            self.attention = CacheAttention(
                sizes.key, sizes.value, attention_heads, positions, sizes.steps, top_k
            )
            self.positions = self.attention.positions
        else:
            self.positions = StepPositions(positions, read_heads, head_size, sizes.steps)
            self._build_heads(head_size)
        self.not_carried = ("wrote", "read_weights")
        if not self.positions.tell_steps:
            self.not_carried += ("ages",)

    def _build_heads(self, head_size: int) -> None:
        """Make the projections of queries and keys."""
        sizes, R = self.sizes, self.read_heads
        self.queries = nn.Linear(sizes.control, R * head_size)
        # Without a bias in what is not turned, which would be the same for all items.
        self.keys = nn.Linear(sizes.key, R * head_size, bias=False)
        if self.positions.pairs:
            self.marks = nn.Parameter(torch.zeros(R, 2 * self.positions.pairs))
            nn.init.uniform_(self.marks, -(sizes.key**-0.5), sizes.key**-0.5)
        if not sizes.plain:
            self._start()

    @property
    def state_size(self) -> int | None:
        """Numbers that a sequence's state hands from one step to the next; None with all items."""
        return None if self.slots == "all" else super().state_size

    def initial_state(self, batch_size: int, like: Tensor) -> TransformerCacheState:
        """Return an empty cache."""
        B, N, sizes = batch_size, self._held_of(0), self.sizes
        width = sizes.key if sizes.query else self.keys.out_features
        return TransformerCacheState(
            keys=like.new_zeros(B, N, width),
            values=like.new_zeros(B, N, sizes.value),
            ages=like.new_zeros(B, N, dtype=torch.int64),
            written=like.new_zeros(B, 1, dtype=torch.int64),
            item_keys=like.new_zeros(B, 0, sizes.key),
            item_values=like.new_zeros(B, 0, sizes.value),
            item_mask=like.new_zeros(B, 0, dtype=torch.bool),
            wrote=like.new_zeros(B, 1),
            read_weights=like.new_zeros(B, self.read_heads, N),
        )

    def write(
        self, state: TransformerCacheState, control: Tensor, items: Items
    ) -> TransformerCacheState:
        """Put the items in place of the oldest ones; those of a model that asks, a step later."""
        hole = ~items.mask.unsqueeze(2)
        clean = Items(
            items.keys.masked_fill(hole, 0), items.values.masked_fill(hole, 0), items.mask
        )
        items = clean if items.mask.shape[1] == 1 else shuffled(items)
        if self.sizes.query:
            earlier = Items(state.item_keys, state.item_values, state.item_mask)
            return self._put(state, earlier, age=1)._replace(
                item_keys=items.keys, item_values=items.values, item_mask=items.mask
            )
        return self._put(state, items._replace(keys=self._projected(items.keys)), age=0)

    def _read(
        self, state: TransformerCacheState, control: Tensor
    ) -> tuple[Tensor, TransformerCacheState]:
        """Attend to the stored items."""
        queries = self.queries(control).to(state.keys.dtype).unflatten(1, (1, self.read_heads, -1))
        asked = self.positions.in_queries(queries).squeeze(1)
        keys = self.positions.in_keys(state.keys.unflatten(2, (self.read_heads, -1)), -state.ages)
        products = (asked.unsqueeze(2) @ keys.permute(0, 2, 3, 1)).squeeze(2)
        scores = products / asked.shape[2] ** 0.5
        seen = best(scores, self._held(state).unsqueeze(1), self.top_k)
        weights = masked_softmax(scores, seen)
        return (weights @ state.values).flatten(1), state._replace(read_weights=weights)

    def weightings(self, state: TransformerCacheState) -> Weightings:
        """Return the weights by slots that keep their item; none for models that ask by query."""
        if self.sizes.query:
            nothing = state.values.new_zeros(len(state.values), 0, state.values.shape[1])
            return Weightings(nothing, nothing)
        return by_item(state.read_weights, state.written, state.wrote)

    def snapshot(self, state: TransformerCacheState, items: Items) -> Prepared:
        """Return the current items and those in the slots; the state has both."""
        current = (state.item_keys, state.item_values, state.item_mask)
        held = (state.keys, state.values, self._held(state))
        seen = Items(*(torch.cat(parts, 1) for parts in zip(held, current, strict=True)))
        ages = torch.cat([state.ages, torch.zeros_like(state.item_mask, dtype=torch.int64)], 1)
        return self.attention.prepare_at(seen, -ages)

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

    def pool(self, state: TransformerCacheState) -> tuple[Tensor, Tensor]:
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

    def _held(self, state: TransformerCacheState) -> Tensor:
        """Tell which slots hold an item, [B, N] bool."""
        return torch.arange(state.keys.shape[1], device=state.keys.device) < state.written

    def _projected(self, keys: Tensor) -> Tensor:
        """Project keys [B, I, Dk] for all heads, with marks in what is turned: [B, I, E]."""
        codes = self.keys(keys)
        if not self.positions.pairs:
            return codes
        parts = codes.unflatten(2, (self.read_heads, -1)).tensor_split(
            [2 * self.positions.pairs], 3
        )
        return torch.cat([parts[0] + self.marks, parts[1]], 3).flatten(2)

    def _put(self, state: TransformerCacheState, items: Items, age: int) -> TransformerCacheState:
        """Put items of an age in front of the slots, the last one first."""
        there, grows = self._held(state), self.slots == "all"
        keys, values, mask = (part.flip(1) for part in items)
        new_ages = torch.full_like(mask, age, dtype=torch.int64).unsqueeze(2)
        number = mask.sum(1, keepdim=True)
        return state._replace(
            keys=pushed(state.keys, keys.to(state.keys.dtype), mask, there, grows),
            values=pushed(state.values, values, mask, there, grows),
            ages=pushed(state.ages.unsqueeze(2) + 1, new_ages, mask, there, grows).squeeze(2),
            written=state.written + number,
            wrote=number.to(state.wrote.dtype),
        )

    @torch.no_grad()
    def _start(self) -> None:
        """Start heads sharply, some by content, the others at a lag each.

        Rotary positions know lags by themselves; beside ALiBi's, the hands of a clock tell them, in
        keys that are earlier controls, and without a clock all heads look up by content.
        """
        sizes, R, P = self.sizes, self.read_heads, self.positions.pairs
        timed = P > 0 or (sizes.control == sizes.key and bool(sizes.clock))
        by_content = round(CONTENT_SHARE * R) if timed else R
        lags = [None] * by_content + spread_lags(R - by_content, sizes.steps)
        self.queries.weight.mul_(STEADY)
        self.queries.bias.zero_()
        self.keys.weight.mul_(STEADY)
        E = self.positions.width
        heads = (
            part.split(E) for part in (self.queries.weight, self.queries.bias, self.keys.weight)
        )
        if P:
            size = (AT_LAG * E**0.5 / P) ** 0.5
            self.marks.copy_(torch.cat([torch.full((P,), size), torch.zeros(P)]))
        for asked, offset, key, lag in zip(*heads, lags, strict=True):
            if lag is None:
                self._start_by_content(asked[2 * P :], key[2 * P :])
            elif P:
                angles = -lag * self.positions.rates(offset.dtype)
                offset[: 2 * P] = size * torch.cat([angles.cos(), angles.sin()])
            else:
                self._start_by_hands(asked, offset, key, lag)

    def _start_by_content(self, asked: Tensor, key: Tensor) -> None:
        """Compare controls and keys of one kind by a projection, but for what time it is."""
        sizes, hands = self.sizes, 2 * len(self.sizes.clock)
        if sizes.control != sizes.key or not len(key):
            return
        gain = (SHARP * self.positions.width**0.5 / len(key)) ** 0.5 / STATE
        key.copy_(torch.randn(len(key), sizes.key) * gain / sizes.key**0.5)
        key[:, :hands] = 0
        asked.copy_(key)

    def _start_by_hands(self, asked: Tensor, bias: Tensor, key: Tensor, lag: float) -> None:
        """Compare the hands of as many clocks as a head has room for, turned back by a lag."""
        clock = self.sizes.clock[: len(key) // 2]
        hands = 2 * len(clock)
        if not hands:
            return
        gain = (AT_LAG * self.positions.width**0.5 / len(clock)) ** 0.5 / LENGTH
        key.zero_()
        key[:hands, :hands] = gain * torch.eye(hands)
        asked[:hands, :hands] = gain * turned(clock, -lag)
        bias[:hands] = -asked[:hands, :hands] @ centre(clock)
