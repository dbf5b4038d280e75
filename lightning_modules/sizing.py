"""Sizes that meet a model's budgets: the slots of its memory, and one width.

The parameter budget bounds what a model can learn, the state budget what it can carry from step to
step. Models should be compared at equal budgets.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from math import inf
from typing import NamedTuple, Protocol

import torch
from torch import nn

from lightning_modules.budget import count_parameters, largest, width_within
from memory_cores.parts.checks import require_positive

#: Largest deviation from a budget, as a share of it.
TOLERANCE = 0.05


class Budgets(NamedTuple):
    """A model's budgets; None where there is none."""

    parameters: int | None  #: maximum number of parameters
    state: int | None  #: numbers carried from step to step


class Parts(Protocol):
    """Networks of a model of some size."""

    def modules(self) -> Iterable[nn.Module]:
        """Return all modules that have parameters."""

    @property
    def state_size(self) -> int | None:
        """Numbers that a sequence carries from step to step; None if they grow with the data."""


class Sizing(NamedTuple):
    """Sizes that settings leave open."""

    width: int
    slots: int | None  #: None for the core's own default


class Sizer:
    """Chooses a model's sizes within 5% of its budgets.

    To meet the state budget, the slots are varied first, with the width that the parameter budget
    allows; then the width, within 5% of the parameter budget.

    Args:
        budgets: the budgets to meet.
        build: makes the model's parts for a width, for ``slots`` and for other ``widths``; called
            on the meta device only, so nothing is allocated and no random number is drawn.
        given: the width, if settings name it; the parameter budget is then ignored.
        default: the width if neither settings nor a parameter budget determine it.
        **widths: settings that by themselves may exceed the parameter budget.

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
            ValueError: a budget cannot be met; the message names the nearest that can.
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
        """Return the width from the settings, else from the parameter budget, else the default.

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
        if (parameters := self.parameters(width, slots)) < (1 - TOLERANCE) * self.budget:
            raise ValueError(
                f"parameter_budget must be at most 5% above {parameters}, or at least "
                f"{self.parameters(width + 1, slots)}, which the next width takes, got "
                f"{self.budget}"
            )
        return width

    def _by_slots(self, alone: Sizing) -> Iterator[Sizing]:
        """Yield the core's default, the most slots within the state budget, and one more."""
        yield alone
        if self.state(alone.width, 1) == self.state(alone.width, 2):
            return  # the settings fix the slots, or there are none

        def at(slots: int) -> Sizing | None:
            try:
                return Sizing(self.width(slots), slots)
            except ValueError:  # too many parameters
                return None

        found = largest(lambda slots: (size := at(slots)) is not None and self._excess(size) <= 0)
        yield from filter(None, map(at, (found, found + 1)))

    def _by_width(self, slots: int | None) -> Iterator[Sizing]:
        """Yield the widths around the state budget, as far as the parameter budget allows."""
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
        """Return the excess of the state over its budget, as a share of the budget."""
        state = self.state(*sizing)
        assert self.state_budget is not None and state is not None, "checked by sizing"
        return state / self.state_budget - 1

    def _count_parameters(self, width: int, slots: int | None) -> int:
        return count_parameters(self._built(width, slots).modules())

    def _count_state(self, width: int, slots: int | None) -> int | None:
        parts = self._built(width, slots)
        with torch.device("meta"):
            return parts.state_size

    def _built(self, width: int, slots: int | None) -> Parts:
        with torch.device("meta"):
            return self._build(width, slots=slots, **self._widths)
