"""Transformer cache: causal attention over keys and values of all past items (Vaswani et al. 2017).

A read head r asks in step t, under the control h, for items i with keys k_i that were written in
steps s_i <= t:

    read = sum_i softmax_i(score(W^q h, W^k k_i, t - s_i)) value_i

with ALiBi's or rotary positions of the steps (``StepPositions``). Nothing is positioned within a
set: its items are of one step, whatever their order.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from memory_cores.core import Items, MemorySizes
from memory_cores.parts.addressing import masked_softmax
from memory_cores.parts.associative import CONTENT_SHARE, SHARP, STEADY, spread_lags
from memory_cores.parts.checks import require_at_least
from memory_cores.parts.clock import centre, turned
from memory_cores.parts.hand_attention import LENGTH
from memory_cores.parts.item_cache import ItemCache, ItemCacheState, Slots, cleaned
from memory_cores.parts.step_positions import PositionKind, StepPositions, best

#: Exponent by which a head that starts at a lag prefers it to all others: a lag between two heads
#: starts with about a uniform look-up's weight.
AT_LAG = 5.0
#: Size of the entries of keys that are controllers' states.
STATE = 1 / 3


class TransformerCache(ItemCache):
    """Cache of the last N items, read by heads with projected keys and positions of the steps.

    Where it has room for only some items of a set, a scrambled function of their content chooses
    those that stay, as in ``ContextWindow``.

    Args:
        sizes: given by the model.
        slots: number of items N; default: the sequence length, which is all of a model that writes
            one a step. For models that read by query also "all".
        read_heads: number of heads R; models that read by query have none.
        head_size: width E of a read head's keys and queries.
        positions: kind of the positions of steps.
        top_k: items that a head sees, those with the highest scores; default: all.
        attention_heads: heads of the attention for look-ups by query.

    Raises:
        ValueError: a number is too small, slots are "all" with read heads, queries are not as wide
            as keys, or there are no such positions.
    """

    def __init__(
        self,
        sizes: MemorySizes,
        slots: Slots | None = None,
        read_heads: int = 5,
        head_size: int = 32,
        positions: PositionKind = "rotary",
        top_k: int | None = None,
        attention_heads: int = 8,
    ) -> None:
        super().__init__(sizes)
        self._build_cache(slots, read_heads, positions, top_k, attention_heads)
        require_at_least(1, head_size=head_size)
        self.top_k = top_k
        if sizes.query:
            return
        self.positions = StepPositions(positions, read_heads, head_size, sizes.steps)
        if positions == "rotary":  # keys have theirs
            self.not_carried += ("steps",) if self.positions.pairs else ("steps", "now")
        self._build_heads(head_size)

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
    def kept_size(self) -> int:
        """Width of a key, projected for all heads."""
        return self.keys.out_features

    def _keep(self, state: ItemCacheState, items: Items) -> ItemCacheState:
        """Put each item, its key projected for all heads and, by angles, turned to its step.

        (ALiBi's positions wait for the read: they would grow with the steps, until bfloat16 could
        not tell recent ones apart.)
        """
        items = cleaned(items)
        keys = self._projected(items.keys)
        if self.positions.pairs:
            heads, steps = keys.unflatten(2, (self.read_heads, -1)), state.now + 1
            keys = self.positions.in_keys(heads, steps.expand_as(items.mask)).flatten(2)
        return self._put(state, items._replace(keys=keys), age=0)

    def _read(self, state: ItemCacheState, control: Tensor) -> tuple[Tensor, ItemCacheState]:
        """Attend to the stored items."""
        queries = self.queries(control).to(state.keys.dtype).unflatten(1, (1, self.read_heads, -1))
        asked = self.positions.in_queries(queries, state.now).squeeze(1)
        keys = state.keys.unflatten(2, (self.read_heads, -1))
        if not self.positions.pairs:
            keys = self.positions.in_keys(keys, state.steps - state.now)
        # As matrix products, which would first copy all keys, these take longer.
        scores = (asked.unsqueeze(1) * keys).sum(3).mT / asked.shape[2] ** 0.5
        seen = best(scores, self._held(state).unsqueeze(1), self.top_k)
        weights = masked_softmax(scores, seen)
        return (weights @ state.values).flatten(1), state._replace(read_weights=weights)

    def _projected(self, keys: Tensor) -> Tensor:
        """Project keys [B, I, Dk] for all heads, with marks in what is turned: [B, I, E]."""
        if not self.positions.pairs:
            return self.keys(keys)
        marks = F.pad(self.marks, (0, self.positions.width - self.marks.shape[1])).flatten()
        return F.linear(keys, self.keys.weight, marks)

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
        E, (weight, bias) = self.positions.width, self.queries.parameters()
        heads = (part.split(E) for part in (weight, bias, self.keys.weight))
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
