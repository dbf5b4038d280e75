"""Rows of a long memory: a base that steps share, and a journal of the rows touched since.

A step copies the journal, never the base: rows of the base are read where they lie, and copied to
the journal when they are to change. The journal has a gradient, the base has none, so that a
backward pass costs the same whatever the base holds. Places number the rows of both, first the J
of the journal, then the M of the base.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from memory_cores.parts.addressing import inverse_norms

#: Age of a place that holds nothing.
NEVER = 2**62
#: Ages from here on belong to rows of the base, in which the oldest come first.
SETTLED = 2**61


class JournaledRows(NamedTuple):
    """B sequences; rows of width W. M is 0 where nothing was ever settled."""

    rows: Tensor  #: [B, J, W], the journal
    age: Tensor  #: [B, J] int64, steps since a row was accessed
    origin: Tensor  #: [B, J] int64, the row of the base that it replaces, or M; [B, 0] without base
    base: Tensor  #: [B, M, W], without a gradient, least recently accessed rows first
    base_norms: Tensor  #: [B, M], inverse norms; 0 for a row that holds nothing

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
        """Find the rows most similar to keys by their cosine: exactly, among all, without gradient.

        Args:
            keys: [B, R, W].
            number: how many rows K for each key.

        Returns:
            places: [B, R, K], the most similar first; there: [B, R, K] bool, False if a sequence
            holds fewer rows, with place 0.
        """
        keys, holds = keys.to(self.rows.dtype), self.age < NEVER
        # In the rows' own precision, or rounding would choose among many rows.
        with torch.no_grad(), torch.autocast("cuda" if keys.is_cuda else "cpu", enabled=False):
            scores = _scores(keys, self.rows, inverse_norms(self.rows), holds)
            if self.base.shape[1]:
                found = (self.base_norms > 0) & self._untouched()
                scores = torch.cat([scores, _scores(keys, self.base, self.base_norms, found)], 2)
        best, places = scores.topk(number, 2)
        there = best > -torch.inf
        return places.masked_fill(~there, 0), there

    def at(self, places: Tensor) -> Tensor:
        """Return the rows [B, R, K, W] at places [B, R, K]."""
        flat, J = places.flatten(1), self.rows.shape[1]
        found = _rows_at(self.rows, flat.clamp(max=J - 1))
        if self.base.shape[1]:
            settled = _rows_at(self.base, (flat - J).clamp(min=0))
            found = torch.where((flat < J).unsqueeze(2), found, settled)
        return found.unflatten(1, places.shape[1:])

    def older(self) -> "JournaledRows":
        """Begin a step: every row was accessed a step longer ago."""
        return self._replace(age=self.age + (self.age < SETTLED))

    def accessed(self, mass: Tensor, threshold: float) -> "JournaledRows":
        """Note rows of the journal that were accessed with a mass [B, J] above a threshold."""
        return self._replace(age=self.age.masked_fill(mass > threshold, 0))

    def least_recently_accessed(
        self, slots: int, present: Tensor
    ) -> tuple["JournaledRows", Tensor]:
        """Choose where to write: an empty place while fewer than N slots are used, else the oldest.

        If that lies in the base, the journal's last place, which must be empty, takes it over.
        Among rows of one age the first is chosen.

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
        taken = (age > oldest) & (present > 0)
        place = torch.where(taken, J - 1, place)
        origin = torch.where(taken, first, self.origin.gather(1, place))
        age = torch.where(taken, age, self.age.gather(1, place))
        taken_over = self._replace(
            origin=self.origin.scatter(1, place, origin), age=self.age.scatter(1, place, age)
        )
        return taken_over, place

    def opened(
        self, places: Tensor, mass: Tensor, threshold: float
    ) -> tuple["JournaledRows", Tensor]:
        """Copy what was read from the base to the journal, and add an empty place at its end.

        Args:
            places: [B, E], that were read.
            mass: [B, E], with which weight since they settled.
            threshold: mass above which a row counts as accessed.

        Returns:
            rows; places: [B, E], all in the journal now.
        """
        J, M = self.rows.shape[1], self.base.shape[1]
        rows, ages, origins = [self.rows], [self.age], [self.origin]
        if M:
            same = places.unsqueeze(2) == places.unsqueeze(1)
            first = same.int().argmax(2)  # of the entries with one place, only one is copied
            copied = (places >= J) & (first == torch.arange(places.shape[1], device=first.device))
            index = (places - J).clamp(min=0)
            whole = (same * mass.unsqueeze(1)).sum(2)
            since = _settled_age(index, M).masked_fill(whole > threshold, 0)
            rows.append(_rows_at(self.base, index) * copied.unsqueeze(2))
            ages.append(since.masked_fill(~copied, NEVER))
            origins += [index.masked_fill(~copied, M), torch.full_like(index[:, :1], M)]
            places = torch.where(places < J, places, J + first)
        rows.append(self.rows.new_zeros(len(self.rows), 1, self.rows.shape[2]))
        ages.append(torch.full_like(self.age[:, :1], NEVER))
        row, age, origin = (torch.cat(parts, 1) for parts in (rows, ages, origins))
        return self._replace(rows=row, age=age, origin=origin), places

    def settled(self, most: int, places: Tensor, left: int) -> tuple["JournaledRows", Tensor]:
        """Move all rows to the base, without their gradients; only here the base is copied.

        Args:
            most: rows of the new base; there must be no more that hold something.
            places: [B, E], to be renumbered.
            left: empty places of the new journal.
        """
        J, M = self.rows.shape[1], self.base.shape[1]
        B, _, W = self.rows.shape
        with torch.no_grad():
            base_age = _settled_age(torch.arange(M, device=places.device), M)
            base_age = base_age.masked_fill(~self._untouched(), NEVER)
            age = torch.cat([self.age, base_age], 1)  # rows that the journal replaces are gone
            order = age.argsort(dim=1, descending=True, stable=True)
            kept = order[:, -most:]
            norms = torch.cat([inverse_norms(self.rows), self.base_norms], 1)
            empty = JournaledRows.empty(B, left, W, self.rows)
            settled = empty._replace(
                origin=torch.full_like(empty.age, kept.shape[1]),
                base=_rows_at(torch.cat([self.rows, self.base], 1), kept),
                base_norms=norms.masked_fill(age == NEVER, 0).gather(1, kept),
            )
            places = left + order.argsort(1).gather(1, places) - (J + M - kept.shape[1])
        return settled, places.clamp(min=0)

    def _untouched(self) -> Tensor:
        """Mask [B, M] of the base's rows that the journal does not replace."""
        shape = len(self.base), self.base.shape[1] + 1
        untouched = torch.ones(shape, dtype=torch.bool, device=self.base.device)
        return untouched.scatter(1, self.origin, False)[:, :-1]


def _settled_age(index: Tensor, rows: int) -> Tensor:
    """Return ages of the base's rows by their index: the first is the oldest."""
    return SETTLED + rows - index


def _rows_at(rows: Tensor, index: Tensor) -> Tensor:
    """Gather rows [B, E, W] of [B, N, W] by index [B, E]."""
    return rows.gather(1, index.unsqueeze(2).expand(-1, -1, rows.shape[2]))


def _scores(keys: Tensor, rows: Tensor, norms: Tensor, found: Tensor) -> Tensor:
    """Compare keys [B, R, W] with rows [B, N, W]; -inf where a row is not to be found, [B, N]."""
    products = torch.bmm(keys, rows.mT) * norms.unsqueeze(1)
    return products.masked_fill(~found.unsqueeze(1), -torch.inf)
