"""Attention over masked sets, shared by the cores and the models (Kim et al. 2019, section 3.2).

A set is prepared once, then queried any number of times:

    memory = attention.prepare(keys, values, mask)
    values = attention.attend(attention.ask(queries), memory)

Leading dimensions "...", one or more (batch, time), are the same in all arguments. A query whose
keys are all masked gets zeros, with zero gradients; the content of padding, even NaN, makes no
difference.
"""

from abc import ABC, abstractmethod
from typing import ClassVar, Literal, NamedTuple, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from memory_cores.core import Items
from memory_cores.parts.addressing import masked_softmax
from memory_cores.parts.real_points import RealPoints, of_points

AttentionKind = Literal["multihead", "dot_product", "laplace", "encoded_laplace", "uniform"]


class Prepared(NamedTuple):
    """A masked set projected for its attention; E and V are the attention's widths."""

    keys: Tensor  #: [..., N, E]
    values: Tensor  #: [..., N, V]
    mask: Tensor  #: [..., N] bool, False for padding; [..., M, N] if it depends on the query
    never_empty: bool = False  #: whether no query is fully masked
    log_share: Tensor | None = None  #: [..., N], added to the scores; None if all shares are 1

    @classmethod
    def partly(cls, keys: Tensor, values: Tensor, share: Tensor) -> "Prepared":
        """Make a set of rows that are weighted by shares.

        Weights are proportional to share * exp(score): two rows with share 1/2 count as one, and a
        row with share 0 gets no weight. Shares get no gradient, since no fused kernel supports it.

        Args:
            keys: [..., N, E].
            values: [..., N, V].
            share: [..., N] in [0, 1], of each row.
        """
        share = share.detach()
        log_share = share.clamp(min=torch.finfo(share.dtype).tiny).log()
        return cls(keys, values, share > 0, log_share=log_share)

    @property
    def visible(self) -> Tensor:
        """Mask of the rows visible to each query, [..., M or 1, N] bool."""
        return self.mask if self.mask.dim() == self.keys.dim() else self.mask.unsqueeze(-2)

    def joined(self, other: "Prepared") -> "Prepared":
        """Concatenate two sets with shares of 1 and the same leading dimensions."""
        return Prepared(
            torch.cat([self.keys, other.keys], -2),
            torch.cat([self.values, other.values], -2),
            torch.cat([self.mask, other.mask], -1),
            self.never_empty or other.never_empty,
        )


class Attention(nn.Module, ABC):
    """Base class: unprojected keys and values, one head; subclasses define ``scores``.

    Args:
        key_size: width Dk of keys and queries.
        value_size: width Dv of values.
    """

    heads = 1
    #: Whether weights depend on keys and queries.
    compares: ClassVar[bool] = True

    def __init__(self, key_size: int, value_size: int) -> None:
        super().__init__()
        self.key_size, self.value_size = key_size, value_size

    @abstractmethod
    def scores(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Return logits [..., H, M, N] of queries [..., H, M, E] and keys [..., H, N, E]."""

    @property
    def prepared_sizes(self) -> tuple[int, int]:
        """Widths E and V of prepared keys and values."""
        return self.key_size, self.value_size

    @property
    def encoded_size(self) -> int:
        """Width of encoded keys and queries."""
        return self.key_size

    def encode(self, points: Tensor) -> Tensor:
        """Encode keys or queries [..., N, Dk], with the same map for both."""
        return points

    def project_queries(self, codes: Tensor) -> Tensor:
        """Project encoded queries to [..., M, E]."""
        return codes

    def ask(self, queries: Tensor, real: RealPoints | None = None) -> Tensor:
        """Encode and project queries [..., M, Dk] to [..., M, E]; only ``real`` ones if given."""
        return self.project_queries(self.encode(queries))

    def ask_at(
        self, queries: Tensor, steps: Tensor | None, real: RealPoints | None = None
    ) -> Tensor:
        """Call ``ask`` for queries in steps [..., M]; only positions see the steps."""
        return self.ask(queries, real)

    def project_keys(self, codes: Tensor) -> Tensor:
        """Project encoded keys to [..., N, E]."""
        return codes

    def project_values(self, values: Tensor) -> Tensor:
        """Project values [..., N, Dv] to [..., N, V]."""
        return values

    def combine(self, read: Tensor) -> Tensor:
        """Map the heads' reads [..., M, V] to values [..., M, Dv]."""
        return read

    def prepare(self, keys: Tensor, values: Tensor, mask: Tensor) -> Prepared:
        """Prepare a set for look-ups: keys [..., N, Dk], values [..., N, Dv], mask [..., N]."""
        hole = ~mask.unsqueeze(-1)
        # Fill before any product, or NaN in padding would reach the weights' gradients.
        keys, values = keys.masked_fill(hole, 0), values.masked_fill(hole, 0)
        return Prepared(self.project_keys(self.encode(keys)), self.project_values(values), mask)

    def prepare_at(self, items: Items, steps: Tensor) -> Prepared:
        """Call ``prepare`` for items of steps [..., N]; only positions see the steps."""
        return self.prepare(*items)

    def weights(self, queries: Tensor, memory: Prepared) -> Tensor:
        """Return the weights [..., H, M, N] of projected queries."""
        scores = self.scores(self._split(queries), self._split(memory.keys))
        if memory.log_share is not None:
            scores = scores + memory.log_share.unsqueeze(-2).unsqueeze(-3)
        return masked_softmax(scores, memory.visible.unsqueeze(-3))

    def mix(self, weights: Tensor, memory: Prepared) -> Tensor:
        """Read values [..., M, Dv] with weights [..., H, M, N]."""
        return self.combine(self._mixed(weights, memory))

    def _mixed(self, weights: Tensor, memory: Prepared) -> Tensor:
        return (weights @ self._split(memory.values)).transpose(-3, -2).flatten(-2)

    def read(self, queries: Tensor, memory: Prepared) -> Tensor:
        """Read with all heads and projected queries, [..., M, V], before ``combine``."""
        return self._mixed(self.weights(queries, memory), memory)

    def attend(self, queries: Tensor, memory: Prepared, real: RealPoints | None = None) -> Tensor:
        """Read values [..., M, Dv] with projected queries."""
        return self.combined(self.read(queries, memory), real)

    def combined(self, read: Tensor, real: RealPoints | None = None) -> Tensor:
        """Call ``combine``, for ``real`` queries only if given."""
        return self.combine(read)

    def forward(self, queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
        """Prepare a set and read its values in one call.

        Args:
            queries: [..., M, Dk].
            keys: [..., N, Dk].
            values: [..., N, Dv].
            mask: [..., N] bool, False for padding.

        Returns:
            values: [..., M, Dv].
        """
        return self.attend(self.ask(queries), self.prepare(keys, values, mask))

    def _split(self, parts: Tensor) -> Tensor:
        """Split [..., N, H * E] into heads, [..., H, N, E]."""
        return parts.unflatten(-1, (self.heads, -1)).transpose(-3, -2)


class UniformAttention(Attention):
    """Mean of the values, for every query."""

    compares = False

    def scores(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Return zeros: all keys get the same weight."""
        return queries.new_zeros(*queries.shape[:-1], keys.shape[-2])


class LaplaceAttention(Attention):
    """Softmax of the negative L1 distances of unprojected keys, in units of ``scale``.

    This is the form of Kim et al. (2019); ``EncodedLaplaceAttention`` is that of the code of Yoon
    et al. (2020). Weights sum to 1, as in both by default (their other form, 1 + tanh, is not
    normalised and grows with the set).

    Args:
        key_size: width Dk of keys and queries.
        value_size: width Dv of values.
        scale: distance over which a weight falls to 1 / e.
    """

    def __init__(self, key_size: int, value_size: int, scale: float = 1.0) -> None:
        super().__init__(key_size, value_size)
        self.scale = scale

    def scores(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Return the negative distances."""
        return -(queries.unsqueeze(-2) - keys.unsqueeze(-3)).abs().sum(-1) / self.scale


class EncodedAttention(Attention):
    """Base class: one shared MLP encodes keys and queries.

    The MLP has two layers as wide as a value (2 x 128 in the paper).
    """

    def __init__(self, key_size: int, value_size: int) -> None:
        super().__init__(key_size, value_size)
        self.encoder = nn.Sequential(
            glorot_linear(key_size, value_size), nn.ReLU(), glorot_linear(value_size, value_size)
        )

    @property
    def prepared_sizes(self) -> tuple[int, int]:
        """Widths E and V, both Dv."""
        return self.value_size, self.value_size

    @property
    def encoded_size(self) -> int:
        """Width of encoded keys and queries, Dv."""
        return self.value_size

    def encode(self, points: Tensor) -> Tensor:
        """Encode keys or queries [..., N, Dk] as [..., N, Dv]."""
        return self.encoder(points)

    def ask(self, queries: Tensor, real: RealPoints | None = None) -> Tensor:
        """Encode and project queries."""
        return of_points(super().ask, queries, real)


class EncodedLaplaceAttention(EncodedAttention):
    """Softmax of the negative L1 distances of encoded keys and queries, as in the authors' code."""

    def scores(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Return the negative distances."""
        # ``cdist`` needs float32 at least; explicit differences would take E times the memory.
        exact = torch.promote_types(queries.dtype, torch.float32)
        return -torch.cdist(queries.to(exact), keys.to(exact), p=1).to(queries.dtype)


class DotProductAttention(EncodedAttention):
    """Softmax of scaled dot products of encoded keys and queries."""

    def scores(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Return dot products divided by the square root of their width."""
        return queries @ keys.mT / queries.shape[-1] ** 0.5

    def read(self, queries: Tensor, memory: Prepared) -> Tensor:
        """Read with all heads, in one fused call."""
        parts = (queries, memory.keys, memory.values)
        q, k, v = (self._split(part).flatten(0, -4) for part in parts)
        visible = memory.visible.flatten(0, -3).unsqueeze(1)
        share = memory.log_share
        if share is not None:
            share = share.flatten(0, -2).unsqueeze(1).unsqueeze(1)
        if memory.never_empty:
            read = fused_attention(q, k, v, visible, share)
        else:
            # A fully masked row would be 0 / 0, which backends treat differently. It sees all keys
            # instead, and its result is zeroed.
            none = ~visible.any(-1, keepdim=True)
            read = fused_attention(q, k, v, visible | none, share).masked_fill(none, 0)
        return read.transpose(1, 2).flatten(2).unflatten(0, queries.shape[:-2])


class MultiheadAttention(DotProductAttention):
    """Dot-product attention with H heads, summed; no biases, no residual, no normalisation.

    Args:
        key_size: width Dk of keys and queries.
        value_size: width Dv of values.
        heads: number of heads H, each of width Dv / H rounded up.
    """

    def __init__(self, key_size: int, value_size: int, heads: int = 8) -> None:
        super().__init__(key_size, value_size)
        self.heads = heads
        width = heads * -(-value_size // heads)
        self.queries = nn.Linear(value_size, width, bias=False)
        self.keys = nn.Linear(value_size, width, bias=False)
        self.values = nn.Linear(value_size, width, bias=False)
        self.output = nn.Linear(width, value_size, bias=False)
        for layer in (self.queries, self.keys, self.values, self.output):
            nn.init.normal_(layer.weight, std=value_size**-0.5)  # as in the paper's code

    @property
    def prepared_sizes(self) -> tuple[int, int]:
        """Widths E and V of all heads together."""
        return self.keys.out_features, self.values.out_features

    def project_queries(self, codes: Tensor) -> Tensor:
        """Project encoded queries for all heads, [..., M, E]."""
        return self.queries(codes)

    def project_keys(self, codes: Tensor) -> Tensor:
        """Project encoded keys for all heads, [..., N, E]."""
        return self.keys(codes)

    def project_values(self, values: Tensor) -> Tensor:
        """Project values for all heads, [..., N, V]."""
        return self.values(values)

    def combine(self, read: Tensor) -> Tensor:
        """Map each head's read to a value, and sum over heads, in one product."""
        return self.output(read)

    def combined(self, read: Tensor, real: RealPoints | None = None) -> Tensor:
        """Call ``combine``, for ``real`` queries only if given."""
        return of_points(self.combine, read, real)


def fused_attention(
    queries: Tensor, keys: Tensor, values: Tensor, visible: Tensor, bias: Tensor | None = None
) -> Tensor:
    """Attend by scaled dot products of [B, H, M, E], [B, H, N, E] and [B, H, N, V].

    On a CPU it computes in float32 at least: PyTorch's kernel is three times slower in bfloat16,
    even where the processor multiplies bfloat16 several times faster.

    Args:
        queries: [B, H, M, E].
        keys: [B, H, N, E].
        values: [B, H, N, V].
        visible: [B, 1, M or 1, N] bool, with a True in every row.
        bias: [B, 1, 1, N], added to the scores; it gets no gradient.
    """
    exact = torch.promote_types(queries.dtype, torch.float32) if queries.is_cpu else queries.dtype
    mask = visible
    if bias is not None:
        mask = bias.to(exact).masked_fill(~visible, -torch.inf)
    if not queries.is_cpu:
        return F.scaled_dot_product_attention(queries, keys, values, attn_mask=mask)
    with torch.autocast("cpu", enabled=False):
        q, k, v = (part.to(exact) for part in (queries, keys, values))
        read = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    return read.to(queries.dtype)


def make_attention(
    kind: AttentionKind, key_size: int, value_size: int, heads: int = 8
) -> Attention:
    """Build an attention of this kind; only multihead attention uses ``heads``.

    Raises:
        ValueError: ``kind`` is unknown.
    """
    if kind == "multihead":
        return MultiheadAttention(key_size, value_size, heads)
    kinds: dict[str, type[Attention]] = {
        "dot_product": DotProductAttention,
        "laplace": LaplaceAttention,
        "encoded_laplace": EncodedLaplaceAttention,
        "uniform": UniformAttention,
    }
    if kind not in kinds:
        raise ValueError(f"attention must be one of {get_args(AttentionKind)}, got {kind!r}")
    return kinds[kind](key_size, value_size)


def glorot_linear(inputs: int, outputs: int) -> nn.Linear:
    """Build a linear layer with Glorot weights and zero biases, as in the authors' code."""
    layer = nn.Linear(inputs, outputs)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
