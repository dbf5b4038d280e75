"""Context window: attention over the most recent items, stored uncompressed."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from memory_cores.core import Items, MemorySizes, Weightings
from memory_cores.parts.addressing import masked_softmax
from memory_cores.parts.associative import KEY_GAIN, READ_STRENGTH, lags
from memory_cores.parts.attention import AttentionKind, Prepared, UniformAttention, make_attention
from memory_cores.parts.clock import centre, turned
from memory_cores.parts.context_store import ContextStore
from memory_cores.parts.item_cache import ItemCache, ItemCacheState, Slots, cleaned
from memory_cores.parts.item_order import with_rows
from memory_cores.parts.real_points import RealPoints


class ContextWindow(ItemCache):
    """Window of the last N items, looked up by the similarity of their keys.

    Read heads attend to the last N items by dot products. Models that read by query attend to all
    items of the current step and the N before it, by a learned attention (the window of ASNP-W in
    Yoon et al. 2020).

    The items of a set are equally recent. If the window has room for only some of them, a
    pseudo-random function of their content (``shuffled``) selects those kept. Selecting by index
    would make reads depend on the order within the set, selecting by key would keep one end of the
    space, and dropping whole sets would lose every set larger than the window.

    Args:
        sizes: given by the model.
        slots: number of items N; default: the sequence length. In models that read by query also
            0, for the current step's items alone, or "all".
        read_heads: number of heads R; models that read by query have none.
        attention: kind of the attention for look-ups.
        attention_heads: heads of multihead attention.

    Raises:
        ValueError: a number is too small, slots are "all" with read heads, queries and keys
            differ in width, or ``attention`` is unknown.
    """

    def __init__(
        self,
        sizes: MemorySizes,
        slots: Slots | None = None,
        read_heads: int = 5,
        attention: AttentionKind = "multihead",
        attention_heads: int = 8,
    ) -> None:
        super().__init__(sizes)
        self._build_cache(slots, read_heads, attention_heads, fewest=0 if sizes.query else 1)
        self.not_carried += ("steps", "now")
        if self.slots == 0:
            self.not_carried += ("written",)
        if sizes.query:  # else its parameters would get no gradient
            self.attention = make_attention(attention, sizes.key, sizes.value, attention_heads)
        else:
            self.read_keys = nn.Linear(sizes.control, read_heads * sizes.key)
            if sizes.control == sizes.key and not sizes.plain:
                self._start_as_associative_memory()

    @property
    def kept_size(self) -> int:
        """Width of a key, which is stored as it is."""
        return self.sizes.key

    @property
    def state_size(self) -> int | None:
        """Numbers that a sequence's state carries from step to step; None with all items.

        The spare row does not count. If a look-up is the mean of all items, their sum and number
        are sufficient.
        """
        if self.slots == "all" and isinstance(self.attention, UniformAttention):
            return self.sizes.value + 1
        size = super().state_size
        spare = (self.sizes.key + self.sizes.value) * bool(self.read_heads)
        return None if size is None else size - spare

    def initial_state(self, batch_size: int, like: Tensor) -> ItemCacheState:
        """Return an empty window."""
        state = super().initial_state(batch_size, like)
        if self.sizes.query:
            return state
        keys, values = (F.pad(rows, (0, 0, 0, 1)) for rows in (state.keys, state.values))
        return state._replace(keys=keys, values=values)

    def _keep(self, state: ItemCacheState, items: Items) -> ItemCacheState:
        """Write each real item over the oldest in the ring: item i to slot i modulo N."""
        items, N = cleaned(items), self._capacity(0)
        number = items.mask.sum(1, keepdim=True)
        written = state.written + number
        index = state.written + items.mask.cumsum(1) - 1
        # With more items than slots, the last ones are kept. The others go to the spare row N as
        # zeros, since shapes must not depend on their number.
        kept = items.mask & (index >= written - N)
        slots = torch.where(kept, index % N, N)
        return state._replace(
            keys=with_rows(state.keys, slots, items.keys.masked_fill(~kept.unsqueeze(2), 0)),
            values=with_rows(state.values, slots, items.values.masked_fill(~kept.unsqueeze(2), 0)),
            written=written,
            wrote=number.to(state.wrote.dtype),
        )

    def _read(self, state: ItemCacheState, control: Tensor) -> tuple[Tensor, ItemCacheState]:
        """Attend to the stored items."""
        queries = self.read_keys(control).unflatten(1, (self.read_heads, self.sizes.key))
        scores = queries @ state.keys.mT / self.sizes.key**0.5
        weights = masked_softmax(scores, self._occupied(state).unsqueeze(1))
        reads = (weights @ state.values).flatten(1)
        # Without the spare row, whose weight is always 0.
        return reads, state._replace(read_weights=weights[:, :, :-1])

    def weightings(self, state: ItemCacheState) -> Weightings:
        """Return the read weights, and one write weighting over the slots last written.

        Both are empty in models that read by query.
        """
        weightings = super().weightings(state)
        # Items of a ring keep their slots.
        return weightings if self.sizes.query else weightings._replace(read=state.read_weights)

    def lookup(
        self,
        snapshot: Prepared | ContextStore,
        queries: Tensor,
        real: RealPoints | None = None,
    ) -> Tensor:
        """Attend to the current and the earlier items."""
        if isinstance(self.attention, UniformAttention) and isinstance(snapshot, ContextStore):
            # The mean does not depend on the query: compute it once per step.
            return snapshot.means().expand(-1, -1, queries.shape[-2], -1)
        return super().lookup(snapshot, queries, real)

    @torch.no_grad()
    def _start_as_associative_memory(self) -> None:
        """Start with sharp reads of items whose keys match the control, or of a certain lag.

        Keys are controls of earlier steps. With entries of about 1/3, dot products start as strong
        as the cosines of other cores. If keys and controls differ in width, similarity must be
        learned.
        """
        size, hands = self.sizes.key, 2 * len(self.sizes.clock)
        like = torch.eye(size) * READ_STRENGTH * KEY_GAIN**2 / size**0.5
        heads = self.read_keys.weight.split(size), self.read_keys.bias.split(size)
        for weight, bias, lag in zip(*heads, lags(self.read_heads, self.sizes), strict=True):
            weight.copy_(like)
            if lag is None:
                weight[:, :hands] = 0  # ignore the time
                continue
            # The hands alone, scaled up to the strength of the whole vector.
            weight.zero_()
            strength = READ_STRENGTH * KEY_GAIN**2 * size**0.5 / hands
            weight[:hands, :hands] = strength * turned(self.sizes.clock, -lag)
            bias[:hands] = -weight[:hands, :hands] @ centre(self.sizes.clock)
