"""Hybrid of all ways to find a latent that is stored as it is (Gemici et al. 2017, section 6).

The paper expects a model "combining the direct storage of latent variables" of introspection "with
content-based addressing" to be "uniformly dominant across all tasks", and leaves it to others. Here
is one, with the DNC's steps along the order of writing as the third way. After T items, a_i is the
age of item i, 0 for the newest, and each read head has with its controls

    c_i = softmax_i(q^k . K key_i / sqrt(E) + q^v . value_i / sqrt(Dv))      by content
    p_i = softmax_i(raw position of a_i)                                     by position
    f_i = w'_j, the last weight of the item j that i followed                by what came next
    w   = m_c c + m_p p + m_f f,   m = softmax(raw modes);   read = sum_i w_i value_i

Section 6 also imagines "mechanisms that modify previously written latent variables after the fact
by overwriting previously written locations". With ``rewrites`` each new item smooths those that
are like it before it is stored, with u = softmax of the same scores for a query of the item:

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
    SHARP,
    STEADY,
    rows_of,
    spread_lags,
)
from memory_cores.parts.checks import require_at_least
from memory_cores.parts.item_cache import ItemCache, ItemCacheState, Slots
from memory_cores.parts.item_queue import pushed

#: Raw modes (content, position, following) of heads that start by content, by position, and by
#: content and on from there.
BY_CONTENT, BY_POSITION, ONWARD = (2.0, 0.0, 0.0), (0.0, 2.0, 0.0), (1.0, -1.0, 1.0)
#: Standard deviation of a position head's first weights, as a share of the gap to the next head.
BREADTH = 1 / 3
#: Raw gate of rewriting at the start: little is rewritten.
KEEPS = -3.0


class Hybrid(ItemCache):
    """Queue of the last N values as they are, read by content, by position and by what came next.

    Read heads see one item a step: a set is pooled to its mean, and an empty set moves nothing.
    They start differently: some by content, some from content on to what came next, the others by
    position, each at another age.

    Models that read by query attend to all points of the step and the N before it, each as it is,
    by content and by the position of its step: ALiBi's slopes leave the first heads with the last
    steps, and the last ones with content alone. Points of a set have no order to follow.

    Args:
        sizes: given by the model.
        slots: number of items N; default: the sequence length, which is all of a model that writes
            one a step. For models that read by query also "all".
        read_heads: number of heads R; models that read by query have none.
        rewrites: let new items rewrite the stored values that they are like; for models that read
            with heads.
        key_size: width E of the projected keys that read heads compare with.
        attention_heads: heads of the attention for look-ups by query.

    Raises:
        ValueError: a number is below 1, queries are not as wide as keys, slots are "all" with read
            heads, or a model that reads by query is to rewrite its points.
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
        self._build_cache(slots, read_heads, "alibi", None, attention_heads)
        require_at_least(1, key_size=key_size)
        self.rewrites = rewrites
        if sizes.query:
            if rewrites:
                raise ValueError("rewrites must be false in models that read by query, got True")
            return
        self.not_carried = ("steps", "now", "wrote")  # their order tells how old items are
        # Without a bias, which would be the same for all items.
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
        """Put the step's item in front; what heads read last moves with the items."""
        item, present = items.pooled()
        values = self._rewritten(state, item, present) if self.rewrites else state.values
        key, value = item.split([self.sizes.key, self.sizes.value], 1)
        key = self.keys(key).to(values.dtype)
        last, wrote, there = state.read_weights, present > 0, self._held(state)
        moved = F.pad(last[:, :, :-1], (1, 0))
        return state._replace(
            keys=pushed(state.keys, key.unsqueeze(1), wrote, there),
            values=pushed(values, value.unsqueeze(1), wrote, there),
            written=state.written + wrote,
            wrote=present,
            read_weights=torch.where(wrote.unsqueeze(2), moved, last),
        )

    def _read(self, state: ItemCacheState, control: Tensor) -> tuple[Tensor, ItemCacheState]:
        """Find items in three ways, each head in its own mixture, and average their values."""
        asked, positions, modes = (
            self.interface(control).to(state.values.dtype).split(self._parts, 1)
        )
        R, there = self.read_heads, self._held(state).unsqueeze(1)
        content = self._scores(state, asked.unflatten(1, (R, -1)))
        found = masked_softmax(torch.cat([content, positions.unflatten(1, (R, -1))], 1), there)
        following = F.pad(state.read_weights[:, :, 1:], (0, 1))
        ways = torch.cat([found, following], 1).unflatten(1, (3, R))
        mixture = modes.unflatten(1, (R, 3)).softmax(2).mT
        weights = (mixture.unsqueeze(3) * ways).sum(1)
        return (weights @ state.values).flatten(1), state._replace(read_weights=weights)

    def _scores(self, state: ItemCacheState, asked: Tensor) -> Tensor:
        """Return how well each stored item fits queries [B, M, E + Dv], [B, M, N]."""
        keys, values = asked.split([self.kept_size, self.sizes.value], 2)
        by_value = values @ state.values.mT
        shares = self.sizes.value**-0.5, self.kept_size**-0.5
        return torch.baddbmm(by_value, keys, state.keys.mT, beta=shares[0], alpha=shares[1])

    def _rewritten(self, state: ItemCacheState, item: Tensor, present: Tensor) -> Tensor:
        """Return the values [B, N, Dv], corrected by an item [B, Dk + Dv] that they are like."""
        asked, correction, gate = (
            self.rewriting(item).to(state.values.dtype).split(self._rewriting_parts, 1)
        )
        scores = self._scores(state, asked.unsqueeze(1))
        weights = masked_softmax(scores, self._held(state).unsqueeze(1)).mT
        share = (gate.sigmoid() * present).unsqueeze(2) * weights
        return state.values + share * (correction.unsqueeze(1) - state.values)

    @torch.no_grad()
    def _start_reading(self) -> None:
        """Start heads in different ways, all of them sharp."""
        asked, positions, modes = rows_of(self.interface, self._parts)
        R, N, E = self.read_heads, int(self.slots), self.kept_size
        for part in (asked, positions, modes):
            part.weight.mul_(STEADY)
        asked.bias.zero_()
        if self.sizes.control == self.sizes.key:
            # Entries of keys are about 1/3 in size, so that those of projected ones are about 1,
            # and an item fits a control like its key by ``SHARP``.
            hands = 2 * len(self.sizes.clock)
            self.keys.weight.normal_(std=KEY_GAIN * self.sizes.key**-0.5)
            self.keys.weight[:, :hands] = 0
            for weight in asked.weight.split(E + self.sizes.value):
                weight[:E].copy_(SHARP / E**0.5 * self.keys.weight)
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
        """Start by correcting values that the item's is like, a little, towards the item's."""
        key, value = self.sizes.key, self.sizes.value
        asked, correction, gate = rows_of(self.rewriting, self._rewriting_parts)
        for part in (asked, correction, gate):
            part.weight.mul_(STEADY)
        asked.weight[self.kept_size :, key:] = torch.eye(value) * SHARP / value**0.5
        correction.weight[:, key:] = torch.eye(value)
        gate.bias.fill_(KEEPS)


def first_ways(heads: int) -> list[tuple[float, float, float]]:
    """Return for each head the raw modes with which it starts; each way is alive in some head."""
    if heads == 1:
        return [(0.0, 0.0, 0.0)]
    by_content = max(1, round(CONTENT_SHARE * heads))
    finders = [BY_CONTENT if head % 2 else ONWARD for head in range(by_content)]
    return finders + [BY_POSITION] * (heads - by_content)
