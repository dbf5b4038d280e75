"""Bayesian linear regression from codes of keys to values: the mesa layer (von Oswald et al. 2023).

The state is what regression needs to know of all items so far, with a decay gamma:

    Lambda <- gamma Lambda + sum k k^T / sigma^2,   B <- gamma B + sum k v^T / sigma^2
    mean(q) = q^T (Lambda + lambda I)^-1 B,         variance(q) = q^T (Lambda + lambda I)^-1 q

The variance is that of the value without noise; an observation's is larger by sigma^2. Neither
depends on the order of a set's items.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from memory_cores.core import MemorySizes
from memory_cores.parts.associative_map import AssociativeMap, Coded
from memory_cores.parts.attention import AttentionKind
from memory_cores.parts.range import Range
from memory_cores.parts.solving import identity_like, solved

#: Precision lambda of the prior at the start. Its logarithm, and that of the noise's precision
#: 1 / sigma^2, which is an item's gate, stay in these ranges, or regressions would be
#: ill-conditioned in single precision.
PRIOR, LOG_PRIOR, LOG_PRECISION = 1.0, Range(-2.0, 5.0), (-6.0, 6.0)


class BayesianRegressionState(NamedTuple):
    """B sequences, H heads, codes of D places, values of width V, R read heads. Zero at first."""

    precision: Tensor  #: [B, H, D, D], Lambda
    cross: Tensor  #: [B, H, D, V], B
    code: Tensor  #: [B, H, D], of what the last step wrote
    asked: Tensor  #: [B, R, D], of what was last asked for


class BayesianRegressionSnapshot(NamedTuple):
    """The items of a step, as the attention sees them, and the maps; E and F are its own widths."""

    item_keys: Tensor  #: [B, N, E]
    item_values: Tensor  #: [B, N, F]
    item_mask: Tensor  #: [B, N] bool
    precision: Tensor  #: [B, H, D, D], Lambda
    cross: Tensor  #: [B, H, D, V], B
    prior: Tensor  #: [B, H], lambda, with what rounding needs


class BayesianRegression(AssociativeMap[BayesianRegressionState]):
    """Mesa layer (von Oswald et al. 2023): the posterior of a regression, read with its variance.

    The gate of an item is the logarithm of its precision, 1 / sigma^2.

    Args:
        sizes: given by the model.
        slots: places D of a code; default: the sequence length.
        heads: number H of regressions.
        queries: read heads of each, in models that read with heads.
        attention: kind of the attention to a step's items in look-ups by query.
        attention_heads: heads of multihead attention.

    Raises:
        ValueError: a number is below 1, queries are not as wide as keys, or there is no such
            attention.
    """

    not_carried = ("code", "asked")
    uncertain = True
    open_gate = 2.4  # sigma is 0.3
    seen = BayesianRegressionSnapshot

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
        """Numbers that a sequence's state carries: of a symmetric matrix, those of a triangle."""
        D = self.slots
        return self.heads * (D * (D + 1) // 2 + D * self.sizes.value)

    def initial_state(self, batch_size: int, like: Tensor) -> BayesianRegressionState:
        """Return the state before any item."""
        B, H, D, R = batch_size, self.heads, self.slots, self.read_heads
        return BayesianRegressionState(
            precision=like.new_zeros(B, H, D, D),
            cross=like.new_zeros(B, H, D, self.sizes.value),
            code=like.new_zeros(B, H, D),
            asked=like.new_zeros(B, R, D),
        )

    def follow(
        self, state: BayesianRegressionState, decay: Tensor, items: Coded
    ) -> BayesianRegressionState:
        """Forget, then add the items."""
        kept = decay.sigmoid()[..., None, None]
        per_sigma = ((items.gates.clamp(*LOG_PRECISION) / 2).exp() * items.mask).unsqueeze(3)
        keys, values = per_sigma * items.keys, per_sigma * items.values
        precision, cross = kept * state.precision, kept * state.cross
        if keys.shape[2] == 1:  # a loop over time has no use for products of one row
            precision = torch.addcmul(precision, keys.mT, keys)
            cross = torch.addcmul(cross, keys.mT, values)
        else:
            precision, cross = precision + keys.mT @ keys, cross + keys.mT @ values
        return state._replace(precision=precision, cross=cross)

    def held(self, state: BayesianRegressionState) -> tuple[Tensor, ...]:
        """Return Lambda, B, and lambda with what rounding needs."""
        Lambda = state.precision
        # Rounding must not take an eigenvalue below 0, not in bfloat16 either.
        trace = Lambda.detach().diagonal(dim1=-2, dim2=-1).sum(-1)
        prior = LOG_PRIOR.of(self.raw_prior).exp().to(Lambda)
        return Lambda, state.cross, torch.add(prior, trace, alpha=torch.finfo(Lambda.dtype).eps)

    def answer(self, held: tuple[Tensor, ...], queries: Tensor) -> Tensor:
        """Return mean and variance of the values at codes."""
        precision, cross, prior = held
        weights = solved(precision, queries, prior)
        # Not below 0, where rounding may take it.
        variance = (weights * queries).sum(-1, keepdim=True).clamp(min=0)
        return torch.cat([weights @ cross, variance], -1)

    def pooled(self, held: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """Sum the means at all places."""
        precision, cross, _ = held
        means = self._answered(held, identity_like(precision).expand_as(precision))[..., :-1]
        return means.mean(-3).sum(-2), self.number_of(cross)
