"""Gated delta rule: a map that decays and corrects its predictions (Yang et al. 2025).

One item, with a key k of unit length and a value v (Gated DeltaNet, equation 10):

    S <- alpha (I - beta k k^T) S + beta k v^T

A set of items is one block step, with rows k_i in K and v_i in V. It is not in the paper:

    S <- alpha S + K^T (K K^T + D)^-1 (V - K alpha S),   D = diag(1 / beta_i - 1)

It does not depend on the items' order; for one item it is the rule above, for none alpha S.

A read S^T q can exceed every stored value by a factor of sqrt(D). The paper normalises every read;
here only large reads are scaled down (``limited``).
"""

from math import inf
from typing import NamedTuple

import torch
from torch import Tensor

from memory_cores.core import MemorySizes
from memory_cores.parts.associative_map import AssociativeMap, Coded, limited
from memory_cores.parts.attention import AttentionKind
from memory_cores.parts.range import Range
from memory_cores.parts.solving import solved

#: Initial raw beta: beta is 0.95.
LEARNS = 3.0
#: Range of a raw beta; beyond it a set's step is ill-conditioned in single precision.
RAW_BETA = Range(-inf, 8.0)


class GatedDeltaState(NamedTuple):
    """B sequences, H heads, codes of D places, values of width V, R read heads. Zero at first."""

    maps: Tensor  #: [B, H, D, V]
    written_code: Tensor  #: [B, H, D], mean code of the items last written
    query_codes: Tensor  #: [B, R, D], codes of the last queries


class GatedDeltaSnapshot(NamedTuple):
    """A step's items, prepared for the attention (widths E and F), and the maps."""

    item_keys: Tensor  #: [B, N, E]
    item_values: Tensor  #: [B, N, F]
    item_mask: Tensor  #: [B, N] bool
    maps: Tensor  #: [B, H, D, V]


class GatedDelta(AssociativeMap[GatedDeltaState]):
    """Gated delta rule (Yang et al. 2025): decaying maps that store what they do not yet predict.

    Args:
        sizes: given by the model.
        slots: places D of a code, which are a map's rows; default: the sequence length.
        heads: number H of maps.
        queries: read heads per map, in models that read with heads.
        erase: erase what a map stores under a key before writing the item; if false, this is gated
            linear attention, S <- alpha S + beta k v^T.
        attention: kind of the attention to a step's items in look-ups by query.
        attention_heads: heads of multihead attention.

    Raises:
        ValueError: a number is below 1, queries and keys differ in width, or ``attention``
            is unknown.
    """

    not_carried = ("written_code", "query_codes")
    open_gate = LEARNS
    snapshot_type = GatedDeltaSnapshot

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
        """Decay the maps, then write the items."""
        maps = decay.sigmoid()[..., None, None] * state.maps
        raw = RAW_BETA.kept(items.gates)
        beta = (raw.sigmoid() * items.mask).unsqueeze(3)
        if items.keys.shape[2] == 1:  # one item a step: no matrix product needed
            key = items.keys.mT
            new = items.values - (key * maps).sum(2, keepdim=True) if self.erase else items.values
            return state._replace(maps=torch.addcmul(maps, beta * key, new))
        if not self.erase:
            return state._replace(maps=maps + (beta * items.keys).mT @ items.values)
        new = items.values - items.keys @ maps
        # (K K^T + D)^-1 by the push-through identity: D_k equations, however many items.
        precision = (raw.exp() * items.mask).unsqueeze(3) * items.keys
        gram, one = precision.mT @ items.keys, precision.new_ones(1)
        if new.shape[-2] < new.shape[-1]:  # as many rows to solve for as items, or as values
            learned = solved(gram, precision, one).mT @ new
        else:
            learned = solved(gram, new.mT @ precision, one).mT
        return state._replace(maps=maps + learned)

    def maps(self, state: GatedDeltaState) -> tuple[Tensor, ...]:
        """Return the maps."""
        return (state.maps,)

    def answer(self, maps: tuple[Tensor, ...], queries: Tensor) -> Tensor:
        """Apply the maps to codes, and limit the reads' root mean square."""
        return limited(queries @ maps[0])

    def pooled(self, maps: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """Sum the rows of a map, one value per place; average over the maps."""
        return maps[0].mean(-3).sum(-2), self.number_of(maps[0])
