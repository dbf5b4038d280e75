"""Base of cores whose look-ups attend to a step's items together with what is held.

Paper A's reading (Yoon et al. 2020, section 3.1.3) is Attend(C_t and C~_t; x), one attention over
the real context of the step and the imaginary one that RMR holds. Here what is held is whatever a
core holds, as keys and values, so that cores differ in nothing else:

    read(x) = Attend(items_t and held_t; x)
"""

from abc import abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor

from memory_cores.core import Items, MemoryCore, Recollections, State, stacked
from memory_cores.parts.attention import AttentionKind, Prepared, make_attention
from memory_cores.parts.checks import require_as_wide_as_keys, require_at_least
from memory_cores.parts.real_points import RealPoints


class Held(NamedTuple):
    """What a core holds after a step; with [B, T, ...] where many steps are stacked."""

    rows: Tensor  #: [B, N, V]
    share: Tensor  #: [B, N] in [0, 1], how much of each row is there: 0 if nothing was written


class Seen(NamedTuple):
    """What a look-up sees: the step's items, then what is held; [B, T, ...] for many steps.

    E and V are the widths that the attention gives to keys and values.
    """

    keys: Tensor  #: [B, S, E]
    values: Tensor  #: [B, S, V]
    share: Tensor  #: [B, S] in [0, 1]; 1 for a real item, 0 for padding


class JointLookup(MemoryCore[State]):
    """Base class of cores with one attention over the step's items and what they hold.

    A step's items are seen each as it is, but stored as their mean, in one write. Point by point, a
    step would take a write for each of up to 50 points, one after the other, and as many slots;
    ``ContextWindow`` is the core that stores points. Where there are neither items nor anything
    held, the read is 0.

    Subclasses call ``_build_attention`` and define ``held``, ``_codes_of`` and ``_values_of``;
    their ``write`` sees no more of a set than its mean, which ``unroll`` gives them.
    """

    def _build_attention(self, kind: AttentionKind, heads: int) -> None:
        """Make the attention, if the model reads by query.

        Raises:
            ValueError: ``heads`` is below 1, queries are not as wide as keys, or there is no such
                attention.
        """
        require_at_least(1, attention_heads=heads)
        query, key, value = self.sizes.query, self.sizes.key, self.sizes.value
        require_as_wide_as_keys(query, key)
        if query:  # else it would be parameters without a gradient
            self.lookup_attention = make_attention(kind, key, value, heads)

    @abstractmethod
    def held(self, state: State) -> Held:
        """Return the rows held, and how much of each is there."""

    @abstractmethod
    def _codes_of(self, rows: Tensor) -> Tensor:
        """Return the keys of held rows [..., N, V], encoded for the attention."""

    @abstractmethod
    def _values_of(self, rows: Tensor) -> Tensor:
        """Return the values [..., N, Dv] of held rows [..., N, V]."""

    def snapshot(self, state: State, items: Items) -> Seen:
        """Join the step's items and what is held."""
        held = self.held(state)
        return self._seen(items, held, self._values_of(held.rows))

    def lookup(self, snapshot: Seen, queries: Tensor, real: RealPoints | None = None) -> Tensor:
        """Attend to the step's items and what is held."""
        asking = self.lookup_attention.ask(queries, real)
        return self.lookup_attention.attend(asking, Prepared.partly(*snapshot), real)

    def pool(self, state: State) -> tuple[Tensor, Tensor]:
        """Sum the held values, each as far as it is there."""
        rows, share = self.held(state)
        return _pooled(self._values_of(rows), share)

    def unroll(
        self,
        controls: Tensor,
        items: Items,
        observed: Tensor | None = None,
        noise: Tensor | None = None,
    ) -> Recollections:
        """Write all steps, then map what was held after each to keys and values, all at once."""
        state = self.initial_state(len(controls), like=controls)
        steps = []
        means = (part.unbind(1) for part in _means(items))
        for control, *mean in zip(controls.unbind(1), *means, strict=True):
            state = self.write(state, control, Items(*mean))
            steps.append(self.held(state))
        held = stacked(steps)
        values = self._values_of(held.rows)
        total, number = _pooled(values, held.share)
        kl = torch.zeros_like(number[..., 0])
        return Recollections(self._seen(items, held, values), total, number, kl)

    def _seen(self, items: Items, held: Held, values: Tensor) -> Seen:
        """Join items and held rows, whose values [..., N, Dv] are known, for the attention."""
        attention, rows = self.lookup_attention, held.rows
        # An attention that compares nothing leaves keys without a gradient.
        codes = (
            self._codes_of(rows)
            if attention.compares
            else rows.new_zeros(*rows.shape[:-1], attention.encoded_size)
        )
        real = attention.prepare(*items)
        return Seen(
            keys=torch.cat([real.keys, attention.project_keys(codes)], -2),
            values=torch.cat([real.values, attention.project_values(values)], -2),
            share=torch.cat([real.mask.to(held.share.dtype), held.share], -1),
        )


def _pooled(values: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
    """Sum values [..., N, Dv], each as far as it is there, and shares [..., N]."""
    share = share.unsqueeze(-1)
    return (share * values).sum(-2), share.sum(-2)


def _means(items: Items) -> Items:
    """Reduce the sets of all steps [B, T, N, ...] to their means, [B, T, 1, ...]."""
    steps = items.mask.shape[:2]
    mean, present = Items(*(part.flatten(0, 1) for part in items)).pooled()
    mean = mean.unflatten(0, steps).unsqueeze(2)
    keys, values = mean.split([items.keys.shape[3], items.values.shape[3]], 3)
    return Items(keys, values, present.unflatten(0, steps) > 0)
