"""Rows of a long memory: a base shared by all steps, and a journal of rows touched since.

A step copies the journal, never the base: rows of the base are read in place, and copied to the
journal before they change. Gradients reach the journal but not the base, so that the cost of a
backward pass does not depend on the base. Places number the rows of both, first the J
of the journal, then the M of the base.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from memory_cores.parts.addressing import inverse_norms
from memory_cores.parts.item_order import rows_at
from memory_cores.parts.solving import exactly

#: Age of an empty place.
NEVER = 2**62
#: Ages from here on are those of base rows, which are sorted from the oldest.
SETTLED = 2**61


class JournaledRows(NamedTuple):
    """B sequences; rows of width W. M is 0 until rows first move to the base."""

    rows: Tensor  #: [B, J, W], the journal
    age: Tensor  #: [B, J] int64, steps since the last access
    origin: Tensor  #: [B, J] int64, base row that it replaces, or M for none; [B, 0] without base
    base: Tensor  #: [B, M, W], no gradient, least recently accessed first
    base_norms: Tensor  #: [B, M], inverse norms; 0 for an empty row

    @classmethod
    def empty(cls, batch_size: int, places: int, width: int, like: Tensor) -> "JournaledRows":
        """Make a journal of empty places, without a base."""
        nowhere = torch.full((batch_size, places), NEVER, device=like.device)
        return cls(
            rows=like.new_zeros(batch_size, places, width),
            age=nowhere,
            origin=nowhere[:, :0],
            base=like.new_zeros(batch_size, 0, width),
            base_norms=like.new_zeros(batch_size, 0),
        )

    def nearest(self, keys: Tensor, number: int) -> tuple[Tensor, Tensor]:
        """Find the rows with the highest cosine similarity, by exact search, without gradient.

        Args:
            keys: [B, R, W].
            number: how many rows K for each key.

        Returns:
            places: [B, R, K], most similar first; there: [B, R, K] bool, False (with place 0) where
            a sequence has fewer rows.
        """
        keys, holds = keys.to(self.rows.dtype), self.age < NEVER
        # In the rows' own precision, or rounding would decide between similar rows.
        with torch.no_grad(), exactly(keys):
            scores = _scores(keys, self.rows, inverse_norms(self.rows), holds)
            if self.base.shape[1]:
                valid = (self.base_norms > 0) & self._untouched()
                scores = torch.cat([scores, _scores(keys, self.base, self.base_norms, valid)], 2)
        best, places = scores.topk(number, 2)
        there = best > -torch.inf
        return places.masked_fill(~there, 0), there

    def at(self, places: Tensor) -> Tensor:
        """Return the rows [B, R, K, W] at places [B, R, K]."""
        flat, J = places.flatten(1), self.rows.shape[1]
        rows = rows_at(self.rows, flat.clamp(max=J - 1))
        if self.base.shape[1]:
            base = rows_at(self.base, (flat - J).clamp(min=0))
            rows = torch.where((flat < J).unsqueeze(2), rows, base)
        return rows.unflatten(1, places.shape[1:])

    def older(self) -> "JournaledRows":
        """Begin a step: increase the age of every row by 1."""
        return self._replace(age=self.age + (self.age < SETTLED))

    def accessed(self, mass: Tensor, threshold: float) -> "JournaledRows":
        """Reset the age of journal rows whose access mass [B, J] exceeds a threshold."""
        return self._replace(age=self.age.masked_fill(mass > threshold, 0))

    def least_recently_accessed(
        self, slots: int, present: Tensor
    ) -> tuple["JournaledRows", Tensor]:
        """Choose where to write: an empty place while fewer than N slots are used, else the oldest.

        If the oldest row is in the base, the last place of the journal, which must be empty,
        replaces it. Among rows of equal age the first is chosen.

        Args:
            slots: number N of slots.
            present: [B, 1], 0 where nothing will be written.

        Returns:
            rows; place: [B, 1], in the journal.
        """
        J, M = self.rows.shape[1], self.base.shape[1]
        if not M:
            return self, self.age.argmax(1, keepdim=True)
        used = M + ((self.age < NEVER) & (self.origin == M)).sum(1, keepdim=True)
        full = (self.age == NEVER) & (used >= slots)
        oldest, place = self.age.masked_fill(full, -1).max(1, keepdim=True)
        left, first = self._untouched().int().max(1, keepdim=True)
        age = torch.where(left > 0, _settled_age(first, M), -1)
        in_base = (age > oldest) & (present > 0)
        place = torch.where(in_base, J - 1, place)
        origin = torch.where(in_base, first, self.origin.gather(1, place))
        age = torch.where(in_base, age, self.age.gather(1, place))
        rows = self._replace(
            origin=self.origin.scatter(1, place, origin), age=self.age.scatter(1, place, age)
        )
        return rows, place

    def opened(
        self, places: Tensor, mass: Tensor, threshold: float
    ) -> tuple["JournaledRows", Tensor]:
        """Copy the base rows that were read to the journal, and append an empty place.

        Args:
            places: [B, E], rows that were read.
            mass: [B, E], read weights since they moved to the base.
            threshold: mass above which a row counts as accessed.

        Returns:
            rows; places: [B, E], now all in the journal.
        """
        J, M = self.rows.shape[1], self.base.shape[1]
        rows, ages, origins = [self.rows], [self.age], [self.origin]
        if M:
            same = places.unsqueeze(2) == places.unsqueeze(1)
            first = same.int().argmax(2)  # copy a place that occurs repeatedly only once
            copied = (places >= J) & (first == torch.arange(places.shape[1], device=first.device))
            index = (places - J).clamp(min=0)
            whole = (same * mass.unsqueeze(1)).sum(2)
            since = _settled_age(index, M).masked_fill(whole > threshold, 0)
            rows.append(rows_at(self.base, index) * copied.unsqueeze(2))
            ages.append(since.masked_fill(~copied, NEVER))
            origins += [index.masked_fill(~copied, M), torch.full_like(index[:, :1], M)]
            places = torch.where(places < J, places, J + first)
        rows.append(self.rows.new_zeros(len(self.rows), 1, self.rows.shape[2]))
        ages.append(torch.full_like(self.age[:, :1], NEVER))
        row, age, origin = (torch.cat(parts, 1) for parts in (rows, ages, origins))
        return self._replace(rows=row, age=age, origin=origin), places

    def settled(self, most: int, places: Tensor, left: int) -> tuple["JournaledRows", Tensor]:
        """Move all rows to the base, detached. The only method that copies the base.

        Args:
            most: rows of the new base, at least as many as are not empty.
            places: [B, E], to renumber.
            left: empty places of the new journal.
        """
        J, M = self.rows.shape[1], self.base.shape[1]
        B, _, W = self.rows.shape
        with torch.no_grad():
            base_age = _settled_age(torch.arange(M, device=places.device), M)
            base_age = base_age.masked_fill(~self._untouched(), NEVER)
            age = torch.cat([self.age, base_age], 1)  # without rows that the journal replaces
            order = age.argsort(dim=1, descending=True, stable=True)
            kept = order[:, -most:]
            norms = torch.cat([inverse_norms(self.rows), self.base_norms], 1)
            empty = JournaledRows.empty(B, left, W, self.rows)
            settled = empty._replace(
                origin=torch.full_like(empty.age, kept.shape[1]),
                base=rows_at(torch.cat([self.rows, self.base], 1), kept),
                base_norms=norms.masked_fill(age == NEVER, 0).gather(1, kept),
            )
            places = left + order.argsort(1).gather(1, places) - (J + M - kept.shape[1])
        return settled, places.clamp(min=0)

    def _untouched(self) -> Tensor:
        """Return the mask [B, M] of base rows that the journal does not replace."""
        shape = len(self.base), self.base.shape[1] + 1
        untouched = torch.ones(shape, dtype=torch.bool, device=self.base.device)
        return untouched.scatter(1, self.origin, False)[:, :-1]


def _settled_age(index: Tensor, rows: int) -> Tensor:
    """Return the ages of base rows by index: the first is the oldest."""
    return SETTLED + rows - index


def _scores(keys: Tensor, rows: Tensor, norms: Tensor, valid: Tensor) -> Tensor:
    """Return the similarity of keys [B, R, W] to rows [B, N, W]; -inf where not valid [B, N]."""
    products = torch.bmm(keys, rows.mT) * norms.unsqueeze(1)
    return products.masked_fill(~valid.unsqueeze(1), -torch.inf)
