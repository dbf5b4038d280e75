"""Sizes with which a model meets its budgets: the slots of its memory, and one width.

A budget of parameters bounds what a model can learn, one of state what it can carry from step to
step. Models that are compared should be alike in both.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from math import inf
from typing import NamedTuple, Protocol

import torch
from torch import nn

from lightning_modules.budget import count_parameters, largest, width_within
from memory_cores.parts.checks import require_positive

#: Farthest that a model may be from a budget, as a share of it.
TOLERANCE = 0.05


class Budgets(NamedTuple):
    """Numbers that a model is to have; None where it may have any."""

    parameters: int | None  #: at most so many
    state: int | None  #: handed from one step of a sequence to the next


class Parts(Protocol):
    """Networks of a model, whose sizes are to be chosen."""

    def modules(self) -> Iterable[nn.Module]:
        """Return all that have parameters."""

    @property
    def state_size(self) -> int | None:
        """Numbers that a sequence hands from step to step; None if they grow with the data."""


class Sizing(NamedTuple):
    """Sizes that settings leave open."""

    width: int
    slots: int | None  #: None: as many as the core chooses


class Sizer:
    """Chooses sizes of a model within its budgets, to 5%.

    Slots are what moves the state first, beside the width that the parameters leave; then, within
    5% of the parameters, the width.

    Args:
        budgets: what is to be met.
        build: makes the model's parts for a width, for ``slots`` and for other ``widths``; called
            on the meta device only, so nothing is allocated and no random number is drawn.
        given: the width, if settings name it; the parameters then have no budget.
        default: the width where neither settings nor a budget of parameters decide on it.
        **widths: settings that alone may be too large for the parameters.

    Raises:
        ValueError: a budget is below 1.
    """

    def __init__(
        self,
        budgets: Budgets,
        build: Callable[..., Parts],
        given: int | None,
        default: int,
        **widths: int,
    ) -> None:
        named = {"parameter_budget": budgets.parameters, "state_budget": budgets.state}
        require_positive(**{name: number for name, number in named.items() if number is not None})
        self.budget = budgets.parameters if given is None else None
        self.state_budget, self.given, self.default = budgets.state, given, default
        self._build, self._widths = build, widths
        self._near = 1
        self.parameters, self.state = cache(self._count_parameters), cache(self._count_state)

    def sizing(self) -> Sizing:
        """Choose the sizes.

        Raises:
            ValueError: a budget cannot be met; the message says what can.
        """
        alone = Sizing(self.width(None), None)
        if self.state_budget is None:
            return alone
        if self.state(*alone) is None:
            raise ValueError(
                "state_budget must be null for a model that keeps all items, whose state grows, "
                f"got {self.state_budget}"
            )
        found = self._nearest(self._by_slots(alone))
        if self._distance(found) > TOLERANCE:
            found = self._nearest(self._by_width(found.slots))
        if self._distance(found) > TOLERANCE:
            beside = "" if self.budget is None else f" within parameter_budget {self.budget}"
            raise ValueError(
                f"state_budget must be within 5% of {self.state(*found)}, the nearest possible "
                f"size{beside}, got {self.state_budget}"
            )
        return found

    def width(self, slots: int | None) -> int:
        """Return the width that settings name, or the parameters leave, or the default.

        Raises:
            ValueError: no width is within 5% of the budget.
        """
        if self.given is not None:
            return self.given
        if self.budget is None:
            return self.default

        def modules(width: int, **widths: int) -> Iterable[nn.Module]:
            return self._build(width, slots=slots, **widths).modules()

        width = self._near = width_within(self.budget, modules, self._near, **self._widths)
        if (taken := self.parameters(width, slots)) < (1 - TOLERANCE) * self.budget:
            raise ValueError(
                f"parameter_budget must be at most 5% above {taken}, or at least "
                f"{self.parameters(width + 1, slots)}, which the next width takes, got "
                f"{self.budget}"
            )
        return width

    def _by_slots(self, alone: Sizing) -> Iterator[Sizing]:
        """Yield the core's own sizes, the most slots whose state is small enough, and one more."""
        yield alone
        if self.state(alone.width, 1) == self.state(alone.width, 2):
            return  # settings name the slots, or there are none

        def at(slots: int) -> Sizing | None:
            try:
                return Sizing(self.width(slots), slots)
            except ValueError:  # so many slots take too many parameters
                return None

        found = largest(lambda slots: (size := at(slots)) is not None and self._excess(size) <= 0)
        yield from filter(None, map(at, (found, found + 1)))

    def _by_width(self, slots: int | None) -> Iterator[Sizing]:
        """Yield the sizes around the budget of the state, as far as the parameters allow."""
        least, most = 1, inf
        if self.given is not None:
            least = most = self.given
        elif self.budget is not None:
            most = self.width(slots)
            too_few = (1 - TOLERANCE) * self.budget
            least = largest(lambda width: self.parameters(width, slots) < too_few, self._near) + 1
        found = largest(lambda width: self._excess(Sizing(width, slots)) <= 0, self.default)
        for width in (found, found + 1):
            yield Sizing(int(min(max(width, least), most)), slots)

    def _nearest(self, sizings: Iterable[Sizing]) -> Sizing:
        return min(sizings, key=self._distance)

    def _distance(self, sizing: Sizing) -> float:
        return abs(self._excess(sizing))

    def _excess(self, sizing: Sizing) -> float:
        """Return how far a state is above its budget, as a share of it."""
        state = self.state(*sizing)
        assert self.state_budget is not None and state is not None, "looked at before"
        return state / self.state_budget - 1

    def _count_parameters(self, width: int, slots: int | None) -> int:
        return count_parameters(self._made(width, slots).modules())

    def _count_state(self, width: int, slots: int | None) -> int | None:
        parts = self._made(width, slots)
        with torch.device("meta"):
            return parts.state_size

    def _made(self, width: int, slots: int | None) -> Parts:
        with torch.device("meta"):
            return self._build(width, slots=slots, **self._widths)
