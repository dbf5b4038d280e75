"""Introspection: a buffer of the last latents, read by age (Gemici et al. 2017, section 3.1)."""

from typing import Literal, NamedTuple, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from memory_cores.core import Items, MemorySizes, Weightings
from memory_cores.parts.attention import AttentionKind
from memory_cores.parts.checks import require_at_least
from memory_cores.parts.item_queue import by_item
from memory_cores.parts.joint_lookup import JointLookup, Stored
from memory_cores.parts.solving import exact_type, exactly

AgeWeighting = Literal["softplus", "softmax", "gaussian"]

#: Narrowest bump, in positions: all but 0.4% of it is at its centre.
MIN_WIDTH = 0.3
#: Below this, log softplus(x) equals x up to rounding, and softplus(x) may underflow.
LINEAR_BELOW = -30.0


class IntrospectionState(NamedTuple):
    """B sequences, N positions of values of width V, R read heads. All zero at first."""

    memory: Tensor  #: [B, N, V], the newest at position 0
    written: Tensor  #: [B, 1] int64, items written so far
    wrote: Tensor  #: [B, 1], 1 if the last step wrote an item
    read_weights: Tensor  #: [B, R, N], by position


class Introspection(JointLookup[IntrospectionState]):
    """First-in-first-out buffer read by position (Gemici et al. 2017, eqs. 9 to 12).

    Positions are ages. Unwritten ones are rows of zeros, which read heads include in the
    normalisation. A set is pooled to its mean, since all its points have the same age, and an empty
    set shifts nothing.

    Models that read by query attend to each of the step's items, and to the written positions
    (``JointLookup``). Each position has a learned key, since values are read by age.

    Args:
        sizes: given by the model.
        slots: number of positions N; default: the sequence length.
        read_heads: number of heads R. The papers use 5 in generative temporal models; models that
            read by query have none.
        hidden_size: hidden units of the attention network k.
        attention: how k's outputs become weights: normalised softplus, softmax, or a Gaussian
            bump over positions whose centre and width are k's outputs.
        lookup_attention: kind of the attention for look-ups by query, which have no network k.
        attention_heads: heads of multihead attention.

    Raises:
        ValueError: a number is below 1, queries and keys differ in width, or ``attention``
            is unknown.
    """

    context_includes_control = False

    def __init__(
        self,
        sizes: MemorySizes,
        slots: int | None = None,
        read_heads: int = 5,
        hidden_size: int = 64,
        attention: AgeWeighting = "softplus",
        lookup_attention: AttentionKind = "multihead",
        attention_heads: int = 8,
    ) -> None:
        super().__init__(sizes)
        # Only look-ups need to know which positions were written.
        self.not_carried = ("wrote", "read_weights", *(() if sizes.query else ("written",)))
        self.slots = sizes.slots_of(slots, sizes.steps)
        self.read_heads = 0 if sizes.query else read_heads
        require_at_least(1, slots=self.slots, read_heads=read_heads, hidden_size=hidden_size)
        self._build_attention(lookup_attention, attention_heads)
        # Only one of the two, or the other's parameters would get no gradient.
        if sizes.query:
            self._build_age_keys()
        else:
            shape = (hidden_size, self.slots, attention)
            self.attention = PositionAttention(sizes.control, read_heads, *shape)
            self.gates = nn.Linear(sizes.control, read_heads * sizes.value)

    def _build_age_keys(self) -> None:
        """Make a key for each age, if the attention compares keys."""
        if self.lookup_attention.compares:
            keys = torch.randn(self.slots, self.lookup_attention.encoded_size)
            self.age_keys = nn.Parameter(keys)

    def initial_state(self, batch_size: int, like: Tensor) -> IntrospectionState:
        """Return an empty buffer of zeros."""
        B, N, V, R = batch_size, self.slots, self.sizes.value, self.read_heads
        return IntrospectionState(
            memory=like.new_zeros(B, N, V),
            written=like.new_zeros(B, 1, dtype=torch.int64),
            wrote=like.new_zeros(B, 1),
            read_weights=like.new_zeros(B, R, N),
        )

    def write(self, state: IntrospectionState, control: Tensor, items: Items) -> IntrospectionState:
        """Put the step's value in front and drop the oldest one."""
        item, present = items.pooled()
        # The key is not stored: values are read by age, not by content.
        newest = item[:, self.sizes.key :].unsqueeze(1)
        shifted = torch.cat([newest, state.memory[:, :-1]], 1)
        wrote = present > 0
        return state._replace(
            memory=torch.where(wrote.unsqueeze(2), shifted, state.memory),
            written=state.written + wrote,
            wrote=present,
        )

    def _read(
        self, state: IntrospectionState, control: Tensor
    ) -> tuple[Tensor, IntrospectionState]:
        """Average the values with weights over positions, and gate the result."""
        weights = self.attention(control).to(state.memory.dtype)
        # One gate per entry of each head's read, as in section 3.1.
        gates = self.gates(control).sigmoid()
        reads = gates * (weights @ state.memory).flatten(1)
        return reads, state._replace(read_weights=weights)

    def weightings(self, state: IntrospectionState) -> Weightings:
        """Return weights over slots in which each item keeps its place, for plots to follow it."""
        return by_item(state.read_weights, state.written, state.wrote)

    def stored(self, state: IntrospectionState) -> Stored:
        """Return the positions; shares are 1 for those written, else 0."""
        written = torch.arange(self.slots, device=state.written.device) < state.written
        return Stored(state.memory, written.to(state.memory.dtype))

    def _codes_of(self, rows: Tensor) -> Tensor:
        """Return the keys of the ages; the rows [..., N, Dv] only give the shape."""
        return self.age_keys.to(rows.dtype).expand(*rows.shape[:-2], -1, -1)

    def _values_of(self, rows: Tensor) -> Tensor:
        """Return the rows, which are values."""
        return rows


class PositionAttention(nn.Module):
    """Weights over positions from an input alone, independent of the memory (``f_att``).

    Args:
        input_size: width I of the input.
        heads: number of heads R.
        hidden_size: hidden units of the network k.
        positions: number of positions N.
        kind: see ``Introspection``.

    Raises:
        ValueError: ``kind`` is unknown.
    """

    def __init__(
        self, input_size: int, heads: int, hidden_size: int, positions: int, kind: AgeWeighting
    ) -> None:
        super().__init__()
        kinds = get_args(AgeWeighting)
        if kind not in kinds:
            raise ValueError(f"attention must be one of {kinds}, got {kind!r}")
        self.heads, self.positions, self.kind = heads, positions, kind
        outputs = heads * (2 if kind == "gaussian" else positions)
        self.hidden = nn.Linear(input_size, hidden_size)
        self.output = nn.Linear(hidden_size, outputs)
        if kind == "gaussian":
            self._spread_centres()

    def forward(self, inputs: Tensor) -> Tensor:
        """Return weights [..., R, N] of inputs [..., I]; each row sums to 1."""
        if self.kind == "gaussian":
            return self._bumps(inputs)
        raw = self._outputs(inputs)
        return torch.softmax(log_softplus(raw) if self.kind == "softplus" else raw, -1)

    def _bumps(self, inputs: Tensor) -> Tensor:
        """Return gaussian weights; not lowered by autocast.

        A centre is a share of N positions: rounded to bfloat16, it would miss its position, and
        neighbouring positions beyond the 256th would be the same.
        """
        with exactly(inputs):
            raw = self._outputs(inputs.to(self.hidden.weight.dtype))
            return torch.softmax(gaussian_exponents(raw.to(exact_type(raw)), self.positions), -1)

    def _outputs(self, inputs: Tensor) -> Tensor:
        """Return the outputs of the network k, [..., R, outputs of a head]."""
        return self.output(self.hidden(inputs).tanh()).unflatten(-1, (self.heads, -1))

    @torch.no_grad()
    def _spread_centres(self) -> None:
        """Start each head at a different position: identical heads would learn the same."""
        centres = self.output.bias.view(self.heads, 2)[:, 0]
        centres.copy_(((torch.arange(self.heads) + 0.5) / self.heads).logit())


def log_softplus(x: Tensor) -> Tensor:
    """Compute log softplus(x), whose softmax is the normalised softplus.

    Far below zero softplus underflows, and normalising it directly would be 0 / 0.
    """
    return torch.where(x > LINEAR_BELOW, F.softplus(x.clamp(min=LINEAR_BELOW)).log(), x)


def gaussian_exponents(raw: Tensor, positions: int) -> Tensor:
    """Return exponents [..., N] of bumps over N positions from raw centres and widths [..., 2]."""
    centres, widths = raw.split(1, -1)
    places = torch.arange(positions, device=raw.device).to(raw.dtype)
    distances = places - (positions - 1) * centres.sigmoid()
    return -(distances / (MIN_WIDTH + F.softplus(widths))).square() / 2
