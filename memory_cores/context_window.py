"""Attention over the most recent items, kept one by one as they are."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from memory_cores.addressing import masked_softmax
from memory_cores.associative import KEY_GAIN, SHARP
from memory_cores.core import Items, MemoryCore, MemorySizes, Weightings, require_at_least

#: Makes the order of the items of a set (``shuffled``) unlike that of their coordinates.
FREQUENCY = 100.0


class ContextWindowState(NamedTuple):
    """B sequences, N slots in a ring, R read heads. All zero at first."""

    keys: Tensor  #: [B, N, Dk]
    values: Tensor  #: [B, N, Dv]
    written: Tensor  #: [B, 1] int64, items written so far; the next one's slot is that modulo N
    write_weights: Tensor  #: [B, 1, N], shared by the slots that the last step wrote
    read_weights: Tensor  #: [B, R, N]


class ContextWindowSnapshot(NamedTuple):
    """What a look-up sees; with [B, T, ...] where many steps are stacked."""

    keys: Tensor  #: [B, N, Dk]
    values: Tensor  #: [B, N, Dv]
    stored: Tensor  #: [B, N] bool, whether a slot holds an item


class ContextWindow(MemoryCore[ContextWindowState]):
    """The last N items, found by dot products with their keys; values are read as they are.

    Every item of a set is kept. The items of a set are equally recent: where the window has room
    for some of a set only, those that stay are chosen by a fixed, scrambled function of their
    content (``shuffled``). Choosing by position would make the reads depend on the order within
    the set, choosing by key would keep one end of the space, and leaving out whole sets would
    leave nothing of a set larger than the window.

    Args:
        sizes: given by the model.
        slots: number of items N; default: the sequence length.
        read_heads: R.

    Raises:
        ValueError: a setting is below 1.
    """

    colour = "#56B4E9"

    def __init__(self, sizes: MemorySizes, slots: int | None = None, read_heads: int = 5) -> None:
        super().__init__(sizes)
        self.slots = sizes.steps if slots is None else slots
        self.read_heads = read_heads
        require_at_least(1, slots=self.slots, read_heads=read_heads)
        self.read_keys = nn.Linear(sizes.control, read_heads * sizes.key)
        if sizes.query:  # else they would be parameters without a gradient
            self.query_keys = nn.Linear(sizes.query, sizes.key)
        self._start_by_finding_like_keys()

    @property
    def context_size(self) -> int:
        """R * Dv: the concatenated reads."""
        return self.read_heads * self.sizes.value

    def initial_state(self, batch_size: int, like: Tensor) -> ContextWindowState:
        """Return an empty window."""
        B, N, R = batch_size, self.slots, self.read_heads
        return ContextWindowState(
            keys=like.new_zeros(B, N, self.sizes.key),
            values=like.new_zeros(B, N, self.sizes.value),
            written=like.new_zeros(B, 1, dtype=torch.int64),
            write_weights=like.new_zeros(B, 1, N),
            read_weights=like.new_zeros(B, R, N),
        )

    def write(self, state: ContextWindowState, control: Tensor, items: Items) -> ContextWindowState:
        """Put each real item in the place of the oldest."""
        items = shuffled(items)
        written = state.written + items.mask.sum(1, keepdim=True)
        taken_by = self._places(state.written, written, items.mask).to(items.keys.dtype)
        taken = taken_by.sum(2, keepdim=True)
        return state._replace(
            keys=torch.where(taken > 0, taken_by @ items.keys, state.keys),
            values=torch.where(taken > 0, taken_by @ items.values, state.values),
            written=written,
            write_weights=(taken / taken.sum(1, keepdim=True).clamp(min=1)).mT,
        )

    def read(self, state: ContextWindowState, control: Tensor) -> tuple[Tensor, ContextWindowState]:
        """Attend to the stored items."""
        queries = self.read_keys(control).unflatten(1, (self.read_heads, self.sizes.key))
        weights = attend(queries, self.snapshot(state))
        return (weights @ state.values).flatten(1), state._replace(read_weights=weights)

    def weightings(self, state: ContextWindowState) -> Weightings:
        """Return the read weights, and one write weighting that its step's slots share."""
        return Weightings(read=state.read_weights, write=state.write_weights)

    def snapshot(self, state: ContextWindowState) -> ContextWindowSnapshot:
        """Return the items and which slots hold one."""
        slots = torch.arange(self.slots, device=state.written.device)
        return ContextWindowSnapshot(state.keys, state.values, slots < state.written)

    def lookup(self, snapshot: ContextWindowSnapshot, queries: Tensor) -> Tensor:
        """Attend to the stored items like a head whose query comes from outside."""
        return attend(self.query_keys(queries), snapshot) @ snapshot.values

    def pool(self, state: ContextWindowState) -> tuple[Tensor, Tensor]:
        """Sum the stored values; empty slots are zero."""
        return state.values.sum(1), state.written.clamp(max=self.slots).to(state.values.dtype)

    @torch.no_grad()
    def _start_by_finding_like_keys(self) -> None:
        """Start by finding, sharply, the item whose key is like the control or the query.

        Products of vectors with entries of the order of 1/3 start at the strength that other cores
        give to a cosine. Where the sizes differ, likeness has to be learned.
        """
        size = self.sizes.key
        like = torch.eye(size) * SHARP * KEY_GAIN**2 / size**0.5
        if self.sizes.control == size:
            self.read_keys.weight.copy_(like.repeat(self.read_heads, 1))
        if self.sizes.query == size:
            self.query_keys.weight.copy_(like)

    def _places(self, before: Tensor, after: Tensor, mask: Tensor) -> Tensor:
        """Which item [B, M] takes which slot, [B, N, M] bool; if too many come, the last ones do.

        Args:
            before: [B, 1], items written until now.
            after: [B, 1], with those that come.
            mask: [B, M], which come.
        """
        index = before + mask.cumsum(1) - 1
        stays = mask & (index >= after - self.slots)
        slots = torch.arange(self.slots, device=mask.device).unsqueeze(1)
        return stays.unsqueeze(1) & (index.unsqueeze(1) % self.slots == slots)


def attend(queries: Tensor, snapshot: ContextWindowSnapshot) -> Tensor:
    """Weights [..., M, N] of queries [..., M, Dk]: scaled dot products, over stored items only."""
    scores = queries @ snapshot.keys.mT / queries.shape[-1] ** 0.5
    return masked_softmax(scores, snapshot.stored.unsqueeze(-2))


def shuffled(items: Items) -> Items:
    """Order each set by a scrambled function of its items, and fill its padding with zeros.

    The result does not depend on the order in which the items came, and neighbours in space do not
    stay neighbours.
    """
    content = torch.cat([items.keys, items.values], 2).masked_fill(~items.mask.unsqueeze(2), 0)
    exact = content.detach().to(torch.promote_types(content.dtype, torch.float32))
    # Square roots of different numbers: no two coordinates make up for one another.
    roots = torch.arange(1, exact.shape[2] + 1, device=exact.device).to(exact.dtype).sqrt()
    order = ((exact * roots).sum(2) * FREQUENCY).sin().argsort(1)
    content = content.gather(1, order.unsqueeze(2).expand_as(content))
    keys, values = content.split([items.keys.shape[2], items.values.shape[2]], 2)
    return Items(keys, values, items.mask.gather(1, order))
