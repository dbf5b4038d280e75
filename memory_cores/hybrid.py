"""Hybrid of all ways to look up a directly stored latent (Gemici et al. 2017, section 6).

The paper expects a model "combining the direct storage of latent variables" of introspection "with
content-based addressing" to be "uniformly dominant across all tasks", and leaves it to future
work. This core adds the DNC's temporal links as a third way. a_i is the age of item i, 0 for the
newest; each read head computes from the control

    c_i = softmax_i(q^k . K key_i / sqrt(E) + q^v . value_i / sqrt(Dv))      by content
    p_i = softmax_i(raw position of a_i)                                     by position
    f_i = w'_j, the last weight of the item j that i followed                by order
    w   = m_c c + m_p p + m_f f,   m = softmax(raw modes);   read = sum_i w_i value_i

Section 6 also imagines "mechanisms that modify previously written latent variables after the fact
by overwriting previously written locations". With ``rewrites`` each new item corrects similar
ones before it is stored, with u the softmax of the same scores for a query from the item:

    value_i <- value_i + g u_i (correction - value_i),   g in [0, 1] and correction from the item
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from memory_cores.core import Items, MemorySizes
from memory_cores.parts.addressing import masked_softmax
from memory_cores.parts.associative import (
    CONTENT_SHARE,
    KEY_GAIN,
    READ_STRENGTH,
    STEADY,
    rows_of,
    spread_lags,
)
from memory_cores.parts.checks import require_at_least
from memory_cores.parts.item_cache import ItemCache, ItemCacheState, Slots
from memory_cores.parts.item_queue import pushed

#: Raw modes (content, position, following) of heads that start by content, by position, and by
#: content followed by order.
BY_CONTENT, BY_POSITION, ONWARD = (2.0, 0.0, 0.0), (0.0, 2.0, 0.0), (1.0, -1.0, 1.0)
#: Standard deviation of a position head's first weights, relative to the gap to the next head.
BREADTH = 1 / 3
#: Initial raw gate of rewriting: little is rewritten.
KEEPS = -3.0


class Hybrid(ItemCache):
    """Queue of the last N values, read by content, by position and by order of writing.

    Read heads see one item per step: a set is pooled to its mean, and an empty set shifts nothing.
    Some heads start by content, some by content followed by order, the others by position, each at
    a different age.

    Models that read by query attend to all points of the step and the N before it, by content and
    by ALiBi positions of their steps: the steepest heads see the last steps, the flattest mainly
    content. Points of a set have no order to follow.

    Args:
        sizes: given by the model.
        slots: number of items N; default: the sequence length, enough for a model that writes
            one per step. In models that read by query also "all".
        read_heads: number of heads R; models that read by query have none.
        rewrites: let new items correct similar stored values; only in models that read with
            heads.
        key_size: width E of the projected keys that read heads compare with.
        attention_heads: heads of the attention for look-ups by query.

    Raises:
        ValueError: a number is below 1, queries and keys differ in width, slots are "all" with read
            heads, or ``rewrites`` is on in a model that reads by query.
    """

    def __init__(
        self,
        sizes: MemorySizes,
        slots: Slots | None = None,
        read_heads: int = 5,
        rewrites: bool = False,
        key_size: int = 64,
        attention_heads: int = 8,
    ) -> None:
        super().__init__(sizes)
        self._build_cache(slots, read_heads, attention_heads)
        self._build_positions(attention_heads, "alibi", None)
        require_at_least(1, key_size=key_size)
        self.rewrites = rewrites
        if sizes.query:
            if rewrites:
                raise ValueError("rewrites must be false in models that read by query, got True")
            return
        self.not_carried = ("steps", "now", "wrote")  # the order of items gives their ages
        # No bias: it would be the same for all items.
        self.keys = nn.Linear(sizes.key, key_size, bias=False)
        query, R = key_size + sizes.value, read_heads
        self._parts = [R * query, R * int(self.slots), R * 3]
        self.interface = nn.Linear(sizes.control, sum(self._parts))
        if not sizes.plain:
            self._start_reading()
        if rewrites:
            self._rewriting_parts = [query, sizes.value, 1]
            self.rewriting = nn.Linear(sizes.key + sizes.value, sum(self._rewriting_parts))
            if not sizes.plain:
                self._start_rewriting()

    @property
    def kept_size(self) -> int:
        """Width of a key, projected."""
        return self.keys.out_features

    def _keep(self, state: ItemCacheState, items: Items) -> ItemCacheState:
        """Push the step's item to the front; the last read weights move with the items."""
        item, present = items.pooled()
        values = self._rewritten(state, item, present) if self.rewrites else state.values
        key, value = item.split([self.sizes.key, self.sizes.value], 1)
        key = self.keys(key).to(values.dtype)
        last, wrote, there = state.read_weights, present > 0, self._occupied(state)
        moved = F.pad(last[:, :, :-1], (1, 0))
        return state._replace(
            keys=pushed(state.keys, key.unsqueeze(1), wrote, there),
            values=pushed(values, value.unsqueeze(1), wrote, there),
            written=state.written + wrote,
            wrote=present,
            read_weights=torch.where(wrote.unsqueeze(2), moved, last),
        )

    def _read(self, state: ItemCacheState, control: Tensor) -> tuple[Tensor, ItemCacheState]:
        """Mix three ways of addressing per head, and average the values."""
        queries, positions, modes = (
            self.interface(control).to(state.values.dtype).split(self._parts, 1)
        )
        R, there = self.read_heads, self._occupied(state).unsqueeze(1)
        content = self._scores(state, queries.unflatten(1, (R, -1)))
        addressed = masked_softmax(torch.cat([content, positions.unflatten(1, (R, -1))], 1), there)
        following = F.pad(state.read_weights[:, :, 1:], (0, 1))
        ways = torch.cat([addressed, following], 1).unflatten(1, (3, R))
        mixture = modes.unflatten(1, (R, 3)).softmax(2).mT
        weights = (mixture.unsqueeze(3) * ways).sum(1)
        return (weights @ state.values).flatten(1), state._replace(read_weights=weights)

    def _scores(self, state: ItemCacheState, queries: Tensor) -> Tensor:
        """Score stored items for queries [B, M, E + Dv]; return [B, M, N]."""
        keys, values = queries.split([self.kept_size, self.sizes.value], 2)
        by_value = values @ state.values.mT
        scales = self.sizes.value**-0.5, self.kept_size**-0.5
        return torch.baddbmm(by_value, keys, state.keys.mT, beta=scales[0], alpha=scales[1])

    def _rewritten(self, state: ItemCacheState, item: Tensor, present: Tensor) -> Tensor:
        """Return the values [B, N, Dv], those similar to an item [B, Dk + Dv] corrected by it."""
        query, correction, gate = (
            self.rewriting(item).to(state.values.dtype).split(self._rewriting_parts, 1)
        )
        scores = self._scores(state, query.unsqueeze(1))
        weights = masked_softmax(scores, self._occupied(state).unsqueeze(1)).mT
        share = (gate.sigmoid() * present).unsqueeze(2) * weights
        return state.values + share * (correction.unsqueeze(1) - state.values)

    @torch.no_grad()
    def _start_reading(self) -> None:
        """Start heads with different, sharp ways of addressing."""
        queries, positions, modes = rows_of(self.interface, self._parts)
        R, N, E = self.read_heads, int(self.slots), self.kept_size
        for part in (queries, positions, modes):
            part.weight.mul_(STEADY)
        queries.bias.zero_()
        if self.sizes.control == self.sizes.key:
            # Entries of keys are about 1/3, so those of projected keys are about 1, and an item
            # scores ``READ_STRENGTH`` for a control equal to its key.
            hands = 2 * len(self.sizes.clock)
            self.keys.weight.normal_(std=KEY_GAIN * self.sizes.key**-0.5)
            self.keys.weight[:, :hands] = 0
            for weight in queries.weight.split(E + self.sizes.value):
                weight[:E].copy_(READ_STRENGTH / E**0.5 * self.keys.weight)
        ways = first_ways(R)
        modes.bias.copy_(torch.tensor(ways).flatten())
        by_position = [head for head, way in enumerate(ways) if way == BY_POSITION]
        lags = spread_lags(len(by_position), N + 1)
        width = BREADTH * max((N - 1) / max(len(by_position), 1), 1)
        ages = torch.arange(N)
        bumps = positions.bias.view(R, N).zero_()
        for head, lag in zip(by_position, lags, strict=True):
            bumps[head] = -((ages - (lag - 1)) / width).square() / 2

    @torch.no_grad()
    def _start_rewriting(self) -> None:
        """Start by moving similar values slightly towards the item's."""
        key, value = self.sizes.key, self.sizes.value
        query, correction, gate = rows_of(self.rewriting, self._rewriting_parts)
        for part in (query, correction, gate):
            part.weight.mul_(STEADY)
        query.weight[self.kept_size :, key:] = torch.eye(value) * READ_STRENGTH / value**0.5
        correction.weight[:, key:] = torch.eye(value)
        gate.bias.fill_(KEEPS)


def first_ways(heads: int) -> list[tuple[float, float, float]]:
    """Return the initial raw modes of each head; some head uses each way."""
    if heads == 1:
        return [(0.0, 0.0, 0.0)]
    by_content = max(1, round(CONTENT_SHARE * heads))
    searching = [BY_CONTENT if head % 2 else ONWARD for head in range(by_content)]
    return searching + [BY_POSITION] * (heads - by_content)
