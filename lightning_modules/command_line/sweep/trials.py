"""Which combinations of values are tried: all of a grid, or random ones."""

from collections.abc import Iterator, Mapping
from itertools import count, product
from random import Random
from typing import Any, NamedTuple, Protocol

from lightning_modules.command_line.sweep.parameter import Parameter

Values = Mapping[str, Any]
#: A sweep that goes on draws what it drew before.
SEED = 0


class Trial(NamedTuple):
    """A combination of values."""

    number: int  #: from 1 on, in the order of proposal
    values: Values  #: by setting


class Search(Protocol):
    """Proposes trials; one that learns does so from the results of earlier ones."""

    def propose(self) -> Trial | None:
        """The next trial, None after the last one."""

    def learn(self, trial: Trial, score: float | None) -> None:
        """Take a trial's result into account; None if it has none."""


class FixedTrials:
    """Trials that do not depend on results."""

    def __init__(self, combinations: Iterator[Values], limit: int | None) -> None:
        numbers = count(1) if limit is None else range(1, limit + 1)
        self.trials = map(Trial, numbers, combinations)

    def propose(self) -> Trial | None:
        """The next one."""
        return next(self.trials, None)

    def learn(self, trial: Trial, score: float | None) -> None:
        """Nothing depends on it."""


def grid(parameters: Mapping[str, Parameter]) -> Iterator[Values]:
    """All combinations; the last parameter changes fastest."""
    for values in product(*(parameter.examples for parameter in parameters.values())):
        yield dict(zip(parameters, values, strict=True))


def draws(parameters: Mapping[str, Parameter]) -> Iterator[Values]:
    """Random combinations without end, the same ones every time."""
    random = Random(SEED)
    while True:
        yield {key: parameter.draw(random) for key, parameter in parameters.items()}


def one_by_one(parameters: Mapping[str, Parameter]) -> Iterator[Values]:
    """Combinations in which every example is once, the others at their first one."""
    first = {key: parameter.examples[0] for key, parameter in parameters.items()}
    yield first
    for key, parameter in parameters.items():
        for example in parameter.examples[1:]:
            yield {**first, key: example}
