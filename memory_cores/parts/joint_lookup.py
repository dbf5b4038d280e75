"""Base of cores whose look-ups attend jointly to a step's items and the memory.

In Yoon et al. (2020, section 3.1.3) a read is Attend(C_t and C~_t; x), one attention over the real
context of the step and RMR's imaginary context. Here the memory of any core takes the latter's
place, as keys and values, so that cores differ in nothing else:

    read(x) = Attend(items_t and memory_t; x)
"""

from abc import abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor

from memory_cores.core import Items, MemoryCore, Recollections, State, stacked
from memory_cores.parts.attention import AttentionKind, Prepared, make_attention
from memory_cores.parts.checks import require_as_wide_as_keys, require_at_least
from memory_cores.parts.real_points import RealPoints


class Stored(NamedTuple):
    """A core's memory contents after a step; [B, T, ...] for many steps."""

    rows: Tensor  #: [B, N, V]
    share: Tensor  #: [B, N] in [0, 1], how much of each row was written


class JointSnapshot(NamedTuple):
    """Inputs of a look-up: the step's items, then the memory; [B, T, ...] for many steps.

    E and V are the attention's widths of keys and values.
    """

    keys: Tensor  #: [B, S, E]
    values: Tensor  #: [B, S, V]
    share: Tensor  #: [B, S] in [0, 1]; 1 for a real item, 0 for padding


class JointLookup(MemoryCore[State]):
    """Base class of cores with one attention over the step's items and the memory.

    Look-ups see each of the step's items, but the memory stores their mean, in one write. Storing
    points would take up to 50 sequential writes per step and as many slots; ``ContextWindow`` does
    that. Without items and with an empty memory, the read is 0.

    Subclasses call ``_build_attention`` and define ``stored``, ``_codes_of`` and ``_values_of``;
    their ``write`` uses only the mean of a set, which is what ``unroll`` passes.
    """

    def _build_attention(self, kind: AttentionKind, heads: int) -> None:
        """Build the attention, if the model reads by query.

        Raises:
            ValueError: ``heads`` is below 1, queries and keys differ in width, or the kind
                is unknown.
        """
        require_at_least(1, attention_heads=heads)
        query, key, value = self.sizes.query, self.sizes.key, self.sizes.value
        require_as_wide_as_keys(query, key)
        if query:  # else its parameters would get no gradient
            self.lookup_attention = make_attention(kind, key, value, heads)

    @abstractmethod
    def stored(self, state: State) -> Stored:
        """Return the rows of the memory, and how much of each was written."""

    @abstractmethod
    def _codes_of(self, rows: Tensor) -> Tensor:
        """Return the keys of stored rows [..., N, V], encoded for the attention."""

    @abstractmethod
    def _values_of(self, rows: Tensor) -> Tensor:
        """Return the values [..., N, Dv] of stored rows [..., N, V]."""

    def snapshot(self, state: State, items: Items) -> JointSnapshot:
        """Join the step's items and the memory."""
        stored = self.stored(state)
        return self._joined(items, stored, self._values_of(stored.rows))

    def lookup(
        self, snapshot: JointSnapshot, queries: Tensor, real: RealPoints | None = None
    ) -> Tensor:
        """Attend to the step's items and the memory."""
        projected = self.lookup_attention.ask(queries, real)
        return self.lookup_attention.attend(projected, Prepared.partly(*snapshot), real)

    def pool(self, state: State) -> tuple[Tensor, Tensor]:
        """Sum the stored values, weighted by their shares."""
        rows, share = self.stored(state)
        return _pooled(self._values_of(rows), share)

    def unroll(
        self,
        controls: Tensor,
        items: Items,
        observed: Tensor | None = None,
        noise: Tensor | None = None,
    ) -> Recollections:
        """Write all steps, then map the memory after each to keys and values, all at once."""
        state = self.initial_state(len(controls), like=controls)
        steps = []
        means = (part.unbind(1) for part in _means(items))
        for control, *mean in zip(controls.unbind(1), *means, strict=True):
            state = self.write(state, control, Items(*mean))
            steps.append(self.stored(state))
        stored = stacked(steps)
        values = self._values_of(stored.rows)
        total, number = _pooled(values, stored.share)
        kl = torch.zeros_like(number[..., 0])
        return Recollections(self._joined(items, stored, values), total, number, kl)

    def _joined(self, items: Items, stored: Stored, values: Tensor) -> JointSnapshot:
        """Project and join items and stored rows with values [..., N, Dv]."""
        attention, rows = self.lookup_attention, stored.rows
        # Uniform attention would leave the keys without a gradient.
        codes = (
            self._codes_of(rows)
            if attention.compares
            else rows.new_zeros(*rows.shape[:-1], attention.encoded_size)
        )
        real = attention.prepare(*items)
        return JointSnapshot(
            keys=torch.cat([real.keys, attention.project_keys(codes)], -2),
            values=torch.cat([real.values, attention.project_values(values)], -2),
            share=torch.cat([real.mask.to(stored.share.dtype), stored.share], -1),
        )


def _pooled(values: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
    """Return the sum of values [..., N, Dv] weighted by shares [..., N], and of the shares."""
    share = share.unsqueeze(-1)
    return (share * values).sum(-2), share.sum(-2)


def _means(items: Items) -> Items:
    """Reduce the sets of all steps [B, T, N, ...] to their means, [B, T, 1, ...]."""
    steps = items.mask.shape[:2]
    mean, present = Items(*(part.flatten(0, 1) for part in items)).pooled()
    mean = mean.unflatten(0, steps).unsqueeze(2)
    keys, values = mean.split([items.keys.shape[3], items.values.shape[3]], 3)
    return Items(keys, values, present.unflatten(0, steps) > 0)
