"""mLSTM: a matrix memory with exponential input gates (Beck et al. 2024, section 2.3).

    C_t = f_t C_{t-1} + i_t v_t k_t^T,   n_t = f_t n_{t-1} + i_t k_t         eqs. 19 and 20
    read(q) = C_t q / max(|n_t^T q|, 1)                                       eq. 21

with i_t = exp(raw), unbounded. The state is stored divided by exp(m_t), with

    m_t = max(log f_t + m_{t-1}, log i_t, 0)                                  eq. 15, and 0

so that the floor 1 in a read's denominator becomes exp(-m_t), at most 1.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from memory_cores.parts.associative_map import AssociativeMap, Coded
from memory_cores.parts.solving import identity_like


class MLSTMState(NamedTuple):
    """B sequences, H heads, codes of D places, values of width V, R read heads. Zero at first."""

    maps: Tensor  #: [B, H, D, V], the transpose of C, over exp(scale)
    norms: Tensor  #: [B, H, D], n, over exp(scale)
    scale: Tensor  #: [B, H], m
    written_code: Tensor  #: [B, H, D], mean code of the items last written
    query_codes: Tensor  #: [B, R, D], codes of the last queries


class MLSTMSnapshot(NamedTuple):
    """A step's items, prepared for the attention (widths E and F), and the maps."""

    item_keys: Tensor  #: [B, N, E]
    item_values: Tensor  #: [B, N, F]
    item_mask: Tensor  #: [B, N] bool
    maps: Tensor  #: [B, H, D, V]
    norms: Tensor  #: [B, H, D]
    scale: Tensor  #: [B, H]


class MLSTM(AssociativeMap[MLSTMState]):
    """Matrix LSTM (Beck et al. 2024): maps that add items with exponential gates.

    A set's items share one forget gate; each has its own input gate.

    Args:
        sizes: given by the model.
        slots: places D of a code, which are a map's rows; default: the sequence length.
        heads: number H of maps.
        queries: read heads per map, in models that read with heads.
        attention: kind of the attention to a step's items in look-ups by query.
        attention_heads: heads of multihead attention.

    Raises:
        ValueError: a number is below 1, queries and keys differ in width, or ``attention``
            is unknown.
    """

    not_carried = ("written_code", "query_codes")
    snapshot_type = MLSTMSnapshot

    def initial_state(self, batch_size: int, like: Tensor) -> MLSTMState:
        """Return maps that answer 0."""
        B, H, D, R = batch_size, self.heads, self.slots, self.read_heads
        return MLSTMState(
            maps=like.new_zeros(B, H, D, self.sizes.value),
            norms=like.new_zeros(B, H, D),
            scale=like.new_zeros(B, H),
            written_code=like.new_zeros(B, H, D),
            query_codes=like.new_zeros(B, R, D),
        )

    def follow(self, state: MLSTMState, decay: Tensor, items: Coded) -> MLSTMState:
        """Forget, then add the items."""
        kept = F.logsigmoid(decay) + state.scale
        gates = items.gates.masked_fill(items.mask == 0, torch.finfo(items.gates.dtype).min)
        scale = torch.cat([gates, kept.clamp(min=0).unsqueeze(2)], 2).amax(2)
        forget, add = (kept - scale).exp(), (gates - scale.unsqueeze(2)).exp() * items.mask
        keys, before = add.unsqueeze(3) * items.keys, forget[..., None, None] * state.maps
        single = keys.shape[2] == 1  # one item a step: no matrix product needed
        return state._replace(
            maps=before + (keys.mT * items.values if single else keys.mT @ items.values),
            norms=forget.unsqueeze(2) * state.norms + keys.sum(2),
            scale=scale,
        )

    def maps(self, state: MLSTMState) -> tuple[Tensor, ...]:
        """Return C, n and m."""
        return state.maps, state.norms, state.scale

    def answer(self, maps: tuple[Tensor, ...], queries: Tensor) -> Tensor:
        """Apply the maps to codes, normalised by n (eq. 21)."""
        matrices, norms, scale = maps
        overlap = (queries @ norms.unsqueeze(-1)).abs()
        # At least eps: an overlap below rounding error is noise.
        floor = (-scale).exp().clamp(min=torch.finfo(scale.dtype).eps)
        return queries @ matrices / torch.maximum(overlap, floor[..., None, None])

    def pooled(self, maps: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """Sum the reads at all places."""
        answers = self._answer_exactly(maps, identity_like(maps[0].mT))
        return answers.mean(-3).sum(-2), self.number_of(maps[0])
