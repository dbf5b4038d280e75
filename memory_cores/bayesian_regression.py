"""Bayesian linear regression from codes of keys to values: the mesa layer (von Oswald et al. 2023).

The state holds the sufficient statistics of all items so far, with a decay gamma:

    Lambda <- gamma Lambda + sum k k^T / sigma^2,   B <- gamma B + sum k v^T / sigma^2
    mean(q) = q^T (Lambda + lambda I)^-1 B,         variance(q) = q^T (Lambda + lambda I)^-1 q

The variance is that of the noise-free value; an observation's is larger by sigma^2. Neither mean
nor variance depends on the order of a set's items.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from memory_cores.core import MemorySizes
from memory_cores.parts.associative_map import AssociativeMap, Coded
from memory_cores.parts.attention import AttentionKind
from memory_cores.parts.range import Range
from memory_cores.parts.solving import solved

#: Initial precision lambda of the prior; ranges of its logarithm and of that of the noise
#: precision 1 / sigma^2, an item's gate. Beyond them regressions are ill-conditioned in single
#: precision.
PRIOR, LOG_PRIOR, LOG_PRECISION = 1.0, Range(-2.0, 5.0), Range(-6.0, 6.0)


class BayesianRegressionState(NamedTuple):
    """B sequences, H heads, codes of D places, values of width V, R read heads. Zero at first."""

    precision: Tensor  #: [B, H, D, D], Lambda
    cross: Tensor  #: [B, H, D, V], B
    written_code: Tensor  #: [B, H, D], mean code of the items last written
    query_codes: Tensor  #: [B, R, D], codes of the last queries


class BayesianRegressionSnapshot(NamedTuple):
    """A step's items, prepared for the attention (widths E and F), and the maps."""

    item_keys: Tensor  #: [B, N, E]
    item_values: Tensor  #: [B, N, F]
    item_mask: Tensor  #: [B, N] bool
    precision: Tensor  #: [B, H, D, D], Lambda
    cross: Tensor  #: [B, H, D, V], B
    prior: Tensor  #: [B, H], lambda plus a margin for rounding


class BayesianRegression(AssociativeMap[BayesianRegressionState]):
    """Mesa layer (von Oswald et al. 2023): the posterior of a regression, read with its variance.

    An item's gate is the logarithm of its precision, 1 / sigma^2.

    Args:
        sizes: given by the model.
        slots: places D of a code; default: the sequence length.
        heads: number H of regressions.
        queries: read heads per map, in models that read with heads.
        attention: kind of the attention to a step's items in look-ups by query.
        attention_heads: heads of multihead attention.

    Raises:
        ValueError: a number is below 1, queries and keys differ in width, or ``attention``
            is unknown.
    """

    not_carried = ("written_code", "query_codes")
    uncertain = True
    open_gate = 2.4  # sigma is 0.3
    snapshot_type = BayesianRegressionSnapshot

    def __init__(
        self,
        sizes: MemorySizes,
        slots: int | None = None,
        heads: int = 2,
        queries: int = 3,
        attention: AttentionKind = "multihead",
        attention_heads: int = 8,
    ) -> None:
        super().__init__(sizes, slots, heads, queries, attention, attention_heads)
        self.raw_prior = nn.Parameter(LOG_PRIOR.raw(torch.full((heads,), PRIOR).log()))

    @property
    def state_size(self) -> int:
        """Numbers in a sequence's state; a symmetric matrix counts as one triangle."""
        D = self.slots
        return self.heads * (D * (D + 1) // 2 + D * self.sizes.value)

    def initial_state(self, batch_size: int, like: Tensor) -> BayesianRegressionState:
        """Return the state before any item."""
        B, H, D, R = batch_size, self.heads, self.slots, self.read_heads
        return BayesianRegressionState(
            precision=like.new_zeros(B, H, D, D),
            cross=like.new_zeros(B, H, D, self.sizes.value),
            written_code=like.new_zeros(B, H, D),
            query_codes=like.new_zeros(B, R, D),
        )

    def follow(
        self, state: BayesianRegressionState, decay: Tensor, items: Coded
    ) -> BayesianRegressionState:
        """Forget, then add the items."""
        kept = decay.sigmoid()[..., None, None]
        per_sigma = ((LOG_PRECISION.kept(items.gates) / 2).exp() * items.mask).unsqueeze(3)
        keys, values = per_sigma * items.keys, per_sigma * items.values
        precision, cross = kept * state.precision, kept * state.cross
        if keys.shape[2] == 1:  # one item a step: no matrix product needed
            precision = torch.addcmul(precision, keys.mT, keys)
            cross = torch.addcmul(cross, keys.mT, values)
        else:
            precision, cross = precision + keys.mT @ keys, cross + keys.mT @ values
        return state._replace(precision=precision, cross=cross)

    def maps(self, state: BayesianRegressionState) -> tuple[Tensor, ...]:
        """Return Lambda, B, and lambda plus a margin for rounding."""
        Lambda = state.precision
        # Rounding must not make an eigenvalue negative, even in bfloat16.
        trace = Lambda.detach().diagonal(dim1=-2, dim2=-1).sum(-1)
        prior = LOG_PRIOR.of(self.raw_prior).exp().to(Lambda)
        return Lambda, state.cross, torch.add(prior, trace, alpha=torch.finfo(Lambda.dtype).eps)

    def answer(self, maps: tuple[Tensor, ...], queries: Tensor) -> Tensor:
        """Return mean and variance of the values at codes."""
        precision, cross, prior = maps
        weights = solved(precision, queries, prior)
        # Rounding could make it 0 or negative.
        least = torch.finfo(weights.dtype).tiny
        variance = (weights * queries).sum(-1, keepdim=True).clamp(min=least)
        return torch.cat([weights @ cross, variance], -1)

    def pooled(self, maps: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """Sum the means at all places."""
        precision, cross, _ = maps
        # A mean is linear in its code: their sum is the mean of a code of ones, one solve for all.
        means = self._answer_exactly(maps, torch.ones_like(precision[..., :1, :]))[..., 0, :-1]
        return means.mean(-2), self.number_of(cross)
