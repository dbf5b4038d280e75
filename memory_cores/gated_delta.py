"""Gated delta rule: a map that forgets, and corrects what it says (Yang et al. 2025).

One item, with a key k of unit length and a value v (Gated DeltaNet, equation 10):

    S <- alpha (I - beta k k^T) S + beta k v^T

A set of items is one block step, rows k_i in K and v_i in V, which is ours:

    S <- alpha S + K^T (K K^T + D)^-1 (V - K alpha S),   D = diag(1 / beta_i - 1)

It depends on no order, is the rule above for one item, and alpha S for none.

A read r = S^T q may be larger than anything that was stored, by the root of the number of codes'
places. A generative model that stores its own samples and computes the next one from what it reads
then explodes; so, where the paper normalises every read, a large one is scaled down here:

    r <- r min(1, 4 / rms(r))
"""

from typing import NamedTuple

import torch
from torch import Tensor

from memory_cores.core import MemorySizes
from memory_cores.parts.associative_map import AssociativeMap, Coded
from memory_cores.parts.attention import AttentionKind
from memory_cores.parts.solving import solved

#: Raw beta at the start: 0.95 of what is new is learned.
LEARNS = 3.0
#: Most of a raw beta, or a set's step is ill-conditioned in single precision.
MOST = 8.0

#: Largest root mean square of a read: that of a latent is about 1.
LARGEST = 4.0


class GatedDeltaState(NamedTuple):
    """B sequences, H heads, codes of D places, values of width V, R read heads. Zero at first."""

    maps: Tensor  #: [B, H, D, V]
    code: Tensor  #: [B, H, D], of what the last step wrote
    asked: Tensor  #: [B, R, D], of what was last asked for


class GatedDeltaSnapshot(NamedTuple):
    """The items of a step, as the attention sees them, and the maps; E and F are its own widths."""

    item_keys: Tensor  #: [B, N, E]
    item_values: Tensor  #: [B, N, F]
    item_mask: Tensor  #: [B, N] bool
    maps: Tensor  #: [B, H, D, V]


class GatedDelta(AssociativeMap[GatedDeltaState]):
    """Gated delta rule (Yang et al. 2025): maps that learn what is new about an item, and forget.

    Args:
        sizes: given by the model.
        slots: places D of a code, which are a map's rows; default: the sequence length.
        heads: number H of maps.
        queries: read heads of each, in models that read with heads.
        erase: erase what a map holds for a key before it learns the item; if false, this is gated
            linear attention, S <- alpha S + beta k v^T.
        attention: kind of the attention to a step's items in look-ups by query.
        attention_heads: heads of multihead attention.

    Raises:
        ValueError: a number is below 1, queries are not as wide as keys, or there is no such
            attention.
    """

    not_carried = ("code", "asked")
    open_gate = LEARNS
    seen = GatedDeltaSnapshot

    def __init__(
        self,
        sizes: MemorySizes,
        slots: int | None = None,
        heads: int = 2,
        queries: int = 3,
        erase: bool = True,
        attention: AttentionKind = "multihead",
        attention_heads: int = 8,
    ) -> None:
        super().__init__(sizes, slots, heads, queries, attention, attention_heads)
        self.erase = erase

    def initial_state(self, batch_size: int, like: Tensor) -> GatedDeltaState:
        """Return maps that answer 0."""
        B, H, D, R = batch_size, self.heads, self.slots, self.read_heads
        maps = like.new_zeros(B, H, D, self.sizes.value)
        return GatedDeltaState(maps, like.new_zeros(B, H, D), like.new_zeros(B, R, D))

    def follow(self, state: GatedDeltaState, decay: Tensor, items: Coded) -> GatedDeltaState:
        """Decay, then learn the items."""
        maps = decay.sigmoid()[..., None, None] * state.maps
        raw = items.gates.clamp(max=MOST)
        beta = (raw.sigmoid() * items.mask).unsqueeze(3)
        if items.keys.shape[2] == 1:  # a loop over time has no use for products of one row
            key = items.keys.mT
            new = items.values - (key * maps).sum(2, keepdim=True) if self.erase else items.values
            return state._replace(maps=torch.addcmul(maps, beta * key, new))
        if not self.erase:
            return state._replace(maps=maps + (beta * items.keys).mT @ items.values)
        new = items.values - items.keys @ maps
        # (K K^T + D)^-1 as a solution of D_k equations, however many the items are.
        precision = (raw.exp() * items.mask).unsqueeze(3) * items.keys
        gram, one = precision.mT @ items.keys, precision.new_ones(1)
        if new.shape[-2] < new.shape[-1]:  # as many rows to solve for as items, or as values
            learned = solved(gram, precision, one).mT @ new
        else:
            learned = solved(gram, new.mT @ precision, one).mT
        return state._replace(maps=maps + learned)

    def held(self, state: GatedDeltaState) -> tuple[Tensor, ...]:
        """Return the maps."""
        return (state.maps,)

    def answer(self, held: tuple[Tensor, ...], queries: Tensor) -> Tensor:
        """Apply the maps to codes, and limit the size of what is found."""
        found = queries @ held[0]
        return found * LARGEST * found.square().mean(-1, keepdim=True).clamp(min=LARGEST**2).rsqrt()

    def pooled(self, held: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """Sum the rows of a map, each as a value of one place; the mean of all maps."""
        return held[0].mean(-3).sum(-2), self.number_of(held[0])
