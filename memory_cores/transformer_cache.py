"""Transformer cache: causal attention over keys and values of all past items (Vaswani et al. 2017).

In step t, with control h, a read head attends to items i with keys k_i written in steps s_i <= t:

    read = sum_i softmax_i(score(W^q h, W^k k_i, t - s_i)) value_i

with ALiBi or rotary positions of steps (``StepPositions``). All items of a set have the position of
their step, so that their order makes no difference.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from memory_cores.core import Items, MemorySizes
from memory_cores.parts.addressing import masked_softmax
from memory_cores.parts.associative import CONTENT_SHARE, READ_STRENGTH, STEADY, spread_lags
from memory_cores.parts.checks import require_at_least
from memory_cores.parts.clock import centre, turned
from memory_cores.parts.hand_attention import LENGTH
from memory_cores.parts.item_cache import ItemCache, ItemCacheState, Slots, cleaned
from memory_cores.parts.step_positions import PositionKind, StepPositions, best

#: Log preference of a head that starts at a lag for that lag over all others. A lag between two
#: heads starts with about the weight of uniform attention.
AT_LAG = 5.0
#: Typical size of the entries of keys that are controller states.
STATE = 1 / 3


class TransformerCache(ItemCache):
    """Cache of the last N items, read by heads with projected keys and positions of the steps.

    If it has room for only some items of a set, a pseudo-random function of their content selects
    those kept, as in ``ContextWindow``.

    Args:
        sizes: given by the model.
        slots: number of items N; default: the sequence length, enough for a model that writes
            one per step. In models that read by query also "all".
        read_heads: number of heads R; models that read by query have none.
        head_size: width E of a read head's keys and queries.
        positions: kind of step positions.
        top_k: number of items with the highest scores that a head attends to; default: all.
        attention_heads: heads of the attention for look-ups by query.

    Raises:
        ValueError: a number is too small, slots are "all" with read heads, queries and keys
            differ in width, or ``positions`` is unknown.
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
        self._build_cache(slots, read_heads, attention_heads)
        self._build_positions(attention_heads, positions, top_k)
        require_at_least(1, head_size=head_size)
        self.top_k = top_k
        if sizes.query:
            return
        self.positions = StepPositions(positions, read_heads, head_size, sizes.steps)
        if positions == "rotary":  # stored keys include their positions
            self.not_carried += ("steps",) if self.positions.pairs else ("steps", "now")
        self._build_heads(head_size)

    def _build_heads(self, head_size: int) -> None:
        """Build the projections of queries and keys."""
        sizes, R = self.sizes, self.read_heads
        self.queries = nn.Linear(sizes.control, R * head_size)
        # No bias in entries that are not rotated: it would be the same for all items.
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
        """Store items with keys projected for all heads, and rotated to their step if rotary.

        ALiBi positions are added when reading: stored, they would grow until bfloat16 could not
        tell recent steps apart.
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
        queries = self.positions.in_queries(queries, state.now).squeeze(1)
        keys = state.keys.unflatten(2, (self.read_heads, -1))
        if not self.positions.pairs:
            keys = self.positions.in_keys(keys, state.steps - state.now)
        # Faster than matrix products, which would first copy all keys.
        scores = (queries.unsqueeze(1) * keys).sum(3).mT / queries.shape[2] ** 0.5
        visible = best(scores, self._occupied(state).unsqueeze(1), self.top_k)
        weights = masked_softmax(scores, visible)
        return (weights @ state.values).flatten(1), state._replace(read_weights=weights)

    def _projected(self, keys: Tensor) -> Tensor:
        """Project keys [B, I, Dk] for all heads to [B, I, E], plus marks in rotated entries."""
        if not self.positions.pairs:
            return self.keys(keys)
        marks = F.pad(self.marks, (0, self.positions.width - self.marks.shape[1])).flatten()
        return F.linear(keys, self.keys.weight, marks)

    @torch.no_grad()
    def _start(self) -> None:
        """Start with sharp heads, some by content, the others each at a lag.

        Rotary positions encode lags. With ALiBi they come from the hands of a clock in keys that
        are earlier controls; without a clock all heads look up by content.
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
        for query, offset, key, lag in zip(*heads, lags, strict=True):
            if lag is None:
                self._start_by_content(query[2 * P :], key[2 * P :])
            elif P:
                angles = -lag * self.positions.rates(offset.dtype)
                offset[: 2 * P] = size * torch.cat([angles.cos(), angles.sin()])
            else:
                self._start_by_hands(query, offset, key, lag)

    def _start_by_content(self, query: Tensor, key: Tensor) -> None:
        """Compare controls and keys of one kind by a shared projection, ignoring the time."""
        sizes, hands = self.sizes, 2 * len(self.sizes.clock)
        if sizes.control != sizes.key or not len(key):
            return
        gain = (READ_STRENGTH * self.positions.width**0.5 / len(key)) ** 0.5 / STATE
        key.copy_(torch.randn(len(key), sizes.key) * gain / sizes.key**0.5)
        key[:, :hands] = 0
        query.copy_(key)

    def _start_by_hands(self, query: Tensor, bias: Tensor, key: Tensor, lag: float) -> None:
        """Compare the clock hands that fit the head, turned back by a lag."""
        clock = self.sizes.clock[: len(key) // 2]
        hands = 2 * len(clock)
        if not hands:
            return
        gain = (AT_LAG * self.positions.width**0.5 / len(clock)) ** 0.5 / LENGTH
        key.zero_()
        key[:hands, :hands] = gain * torch.eye(hands)
        query[:hands, :hands] = gain * turned(clock, -lag)
        bias[:hands] = -query[:hands, :hands] @ centre(clock)
