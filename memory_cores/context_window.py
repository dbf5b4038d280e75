"""Context window: attention over the most recent items, stored uncompressed."""

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from memory_cores.core import Items, MemoryCore, MemorySizes, Recollections, Weightings
from memory_cores.parts.addressing import masked_softmax
from memory_cores.parts.associative import KEY_GAIN, READ_STRENGTH, lags
from memory_cores.parts.attention import AttentionKind, Prepared, UniformAttention, make_attention
from memory_cores.parts.checks import require_as_wide_as_keys, require_at_least
from memory_cores.parts.clock import centre, turned
from memory_cores.parts.context_store import ContextStore, recollected
from memory_cores.parts.item_order import real_first, rows_at, shuffled, with_rows
from memory_cores.parts.real_points import RealPoints


class ContextWindowState(NamedTuple):
    """B sequences, N slots, R read heads, the I items of the current step. All zero at first.

    Read heads see the slots, a ring buffer with the current items included. One spare row receives
    the items that are dropped, and stays zero. Models that read by query have neither heads nor the
    spare row; they see the current items and the slots, which then store earlier items in order.
    """

    keys: Tensor  #: [B, N, Dk]; [B, N + 1, Dk] where there are read heads
    values: Tensor  #: [B, N, Dv]; [B, N + 1, Dv]
    written: Tensor  #: [B, 1] int64, items so far; modulo N, the next slot of the ring
    item_keys: Tensor  #: [B, I, Dk]; I is 0 where there are read heads
    item_values: Tensor  #: [B, I, Dv]
    item_mask: Tensor  #: [B, I] bool
    write_weights: Tensor  #: [B, 1, N], uniform over the slots last written; [B, 0, N]
    read_weights: Tensor  #: [B, R, N]


class ContextWindow(MemoryCore[ContextWindowState]):
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

    unroll_recurs = False

    def __init__(
        self,
        sizes: MemorySizes,
        slots: int | Literal["all"] | None = None,
        read_heads: int = 5,
        attention: AttentionKind = "multihead",
        attention_heads: int = 8,
    ) -> None:
        super().__init__(sizes)
        self.slots = slots if slots == "all" else sizes.slots_of(slots, sizes.steps)
        self.read_heads = 0 if sizes.query else read_heads
        self.not_carried = ("write_weights", "read_weights")
        if self.slots == 0:
            self.not_carried += ("written",)
        self._require_valid(read_heads, attention_heads)
        if sizes.query:  # else its parameters would get no gradient
            self.attention = make_attention(attention, sizes.key, sizes.value, attention_heads)
        else:
            self.read_keys = nn.Linear(sizes.control, read_heads * sizes.key)
            if sizes.control == sizes.key and not sizes.plain:
                self._start_as_associative_memory()

    def _require_valid(self, read_heads: int, attention_heads: int) -> None:
        """Raise a ValueError that names an invalid setting."""
        query, key = self.sizes.query, self.sizes.key
        require_at_least(1, read_heads=read_heads, attention_heads=attention_heads)
        if self.slots != "all":
            require_at_least(0 if query else 1, slots=self.slots)
        elif not query:
            raise ValueError("slots must be a number in models that read with heads, got all")
        require_as_wide_as_keys(query, key)

    @property
    def state_size(self) -> int | None:
        """Numbers that a sequence's state carries from step to step; None with all items.

        The spare row does not count. If a look-up is the mean of all items, their sum and number
        are sufficient.
        """
        if self.slots == "all":
            uniform = isinstance(self.attention, UniformAttention)
            return self.sizes.value + 1 if uniform else None
        size = super().state_size
        assert size is not None, "it does not grow"
        return size - (self.sizes.key + self.sizes.value) * bool(self.read_heads)

    def initial_state(self, batch_size: int, like: Tensor) -> ContextWindowState:
        """Return an empty window."""
        B, N, R = batch_size, self._capacity(0), self.read_heads
        rows = N + 1 if R else N
        return ContextWindowState(
            keys=like.new_zeros(B, rows, self.sizes.key),
            values=like.new_zeros(B, rows, self.sizes.value),
            written=like.new_zeros(B, 1, dtype=torch.int64),
            item_keys=like.new_zeros(B, 0, self.sizes.key),
            item_values=like.new_zeros(B, 0, self.sizes.value),
            item_mask=like.new_zeros(B, 0, dtype=torch.bool),
            write_weights=like.new_zeros(B, min(R, 1), N),
            read_weights=like.new_zeros(B, R, N),
        )

    def write(self, state: ContextWindowState, control: Tensor, items: Items) -> ContextWindowState:
        """Store the items in place of the oldest."""
        items = shuffled(items)
        return self._follow(state, items) if self.sizes.query else self._put(state, items)

    def _read(
        self, state: ContextWindowState, control: Tensor
    ) -> tuple[Tensor, ContextWindowState]:
        """Attend to the stored items."""
        queries = self.read_keys(control).unflatten(1, (self.read_heads, self.sizes.key))
        scores = queries @ state.keys.mT / self.sizes.key**0.5
        weights = masked_softmax(scores, self._occupied(state).unsqueeze(1))
        reads = (weights @ state.values).flatten(1)
        # Without the spare row, whose weight is always 0.
        return reads, state._replace(read_weights=weights[:, :, :-1])

    def weightings(self, state: ContextWindowState) -> Weightings:
        """Return the read weights, and one write weighting over the slots last written.

        Both are empty in models that read by query.
        """
        return Weightings(read=state.read_weights, write=state.write_weights)

    def snapshot(self, state: ContextWindowState, items: Items) -> Prepared:
        """Return the current and the earlier items, both from the state."""
        return self.attention.prepare(*self._all_items(state))

    def lookup(
        self,
        snapshot: Prepared | ContextStore,
        queries: Tensor,
        real: RealPoints | None = None,
    ) -> Tensor:
        """Attend to the current and the earlier items."""
        uniform = isinstance(self.attention, UniformAttention)
        if uniform and isinstance(snapshot, ContextStore):
            # The mean does not depend on the query: compute it once per step.
            return snapshot.means().expand(-1, -1, queries.shape[-2], -1)
        projected = self.attention.ask(queries, real)
        if isinstance(snapshot, Prepared):
            return self.attention.attend(projected, snapshot, real)
        return snapshot.attended(self.attention, projected, real)

    def pool(self, state: ContextWindowState) -> tuple[Tensor, Tensor]:
        """Sum the stored values; empty slots are zero."""
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
        return recollected(items, most, lambda rows, steps: self.attention.prepare(*rows))

    def _capacity(self, rows: int) -> int:
        """Return the number of slots for at most this many earlier items."""
        return rows if self.slots == "all" else self.slots

    def _occupied(self, state: ContextWindowState) -> Tensor:
        """Return a mask of the rows with an item, [B, N] bool; [B, N + 1] with read heads."""
        rows = state.keys.shape[1]
        row = torch.arange(rows, device=state.keys.device)
        return row < state.written.clamp(max=self._capacity(rows))

    def _all_items(self, state: ContextWindowState) -> Items:
        """Concatenate all items that a look-up sees."""
        current = (state.item_keys, state.item_values, state.item_mask)
        earlier = (state.keys, state.values, self._occupied(state))
        return Items(*(torch.cat(parts, 1) for parts in zip(earlier, current, strict=True)))

    def _follow(self, state: ContextWindowState, items: Items) -> ContextWindowState:
        """Move the previous step's items to the slots, and make the new ones current."""
        earlier = real_first(self._all_items(state))
        N = self._capacity(earlier.mask.shape[1])
        first = (earlier.mask.sum(1, keepdim=True) - N).clamp(min=0)
        kept = first + torch.arange(N, device=first.device)
        return state._replace(
            keys=rows_at(earlier.keys, kept),
            values=rows_at(earlier.values, kept),
            written=state.written + state.item_mask.sum(1, keepdim=True),
            item_keys=items.keys,
            item_values=items.values,
            item_mask=items.mask,
        )

    def _put(self, state: ContextWindowState, items: Items) -> ContextWindowState:
        """Write each real item over the oldest in the ring."""
        written = state.written + items.mask.sum(1, keepdim=True)
        index = state.written + items.mask.cumsum(1) - 1
        # With more items than slots, the last ones are kept. The others go to the spare row N as
        # zeros, since shapes must not depend on their number.
        kept = items.mask & (index >= written - self._capacity(0))
        slots = torch.where(kept, index % self._capacity(0), self._capacity(0))
        weights = state.write_weights.new_zeros(len(slots), state.keys.shape[1])
        weights = weights.scatter(1, slots, kept.to(weights.dtype))
        weights = weights / weights.sum(1, keepdim=True).clamp(min=1)
        return state._replace(
            keys=with_rows(state.keys, slots, items.keys.masked_fill(~kept.unsqueeze(2), 0)),
            values=with_rows(state.values, slots, items.values.masked_fill(~kept.unsqueeze(2), 0)),
            written=written,
            write_weights=weights.unsqueeze(1)[..., :-1],
        )

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
