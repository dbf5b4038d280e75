"""Groups of runs ranked by a headline, with how surely each differs from a good one."""

from collections.abc import Iterable, Sequence
from math import nan
from typing import NamedTuple

from lightning_modules.declarations import Family, Measure
from lightning_modules.records.benchmarks import BenchmarkRuns
from lightning_modules.records.groups import TEST, VALIDATION, Group, by_group, by_stage
from lightning_modules.records.significance import (
    FEWEST_PAIRS,
    LEVEL,
    PairedDifference,
    compared,
)

#: Of a difference that is of fewer than three seeds, or that is not significant.
NO_CONCLUSION = "no conclusion"
#: Stands for the difference of the group that the others are compared with.
REFERENCE = "reference"


class Row(NamedTuple):
    """A group at one stage, compared with the reference: see ``reference_among``."""

    group: Group
    best: bool  #: whether it may be called so: see ``is_best``
    difference: PairedDifference | None  #: None for the reference, and validations
    p: float  #: corrected for the number of groups; NaN where there is no test

    @property
    def is_reference(self) -> bool:
        """Whether the others are compared with it."""
        return self.group.stage == TEST and self.difference is None

    @property
    def conclusive(self) -> bool:
        """Whether it differs from the reference; the corrected p decides, not the interval."""
        return self.p < LEVEL

    def in_words(self, digits: int) -> str:
        """Write the difference with its interval; where nothing follows from it, say so."""
        if self.difference is None:
            return REFERENCE if self.is_reference else ""
        said = self.difference.in_words(digits)
        return said if self.conclusive else f"{said}, {NO_CONCLUSION}"


class Ranking(NamedTuple):
    """All groups on one benchmark."""

    benchmark: BenchmarkRuns
    headline: Measure  #: they are ranked by it
    rows: list[Row]  #: the best tested first, then those that were only validated

    @property
    def explanation(self) -> str:
        """Say what the headline is."""
        return f"Ranked by {self.headline.header}: {self.headline.sentence}."


def ranked(benchmark: BenchmarkRuns) -> Ranking:
    """Rank groups by the first headline that all of them know."""
    groups = [stage for group in by_group(benchmark.runs) for stage in by_stage(group)]
    measured = [group for group in groups if group.stage == TEST] or groups
    by = headline(benchmark.family, measured)
    in_order = sorted(groups, key=lambda group: _rank(group, by))
    tested = [group for group in in_order if group.stage == TEST]
    against = compared([group.by_seed(by.name) for group in tested])
    rows = [
        Row(group, place == 0 and is_best(tested, by), *each)
        for place, (group, each) in enumerate(zip(tested, against, strict=True))
    ]
    rows += [Row(group, False, None, nan) for group in in_order if group.stage == VALIDATION]
    return Ranking(benchmark, by, rows)


def is_best(tested: Sequence[Group], by: Measure) -> bool:
    """Tell whether the first of some groups is the best one, not just the first.

    It is if there is another, and if its mean is of three seeds or more: with fewer, no comparison
    has a conclusion. A measure without a direction has no best value.

    Args:
        tested: groups, in the order of their means.
        by: the measure that they are ranked by.
    """
    known = tested[0].by_seed(by.name).keys() - {None}
    others = [group for group in tested[1:] if group.scalar(by.name).mean.isfinite()]
    return by.better != "neither" and len(known) >= FEWEST_PAIRS and len(others) > 0


def headline(family: Family, groups: Iterable[Group]) -> Measure:
    """Choose the first headline that all groups know which know any; else the family's last one."""
    headlines = family.headlines
    known = [
        {each.name for each in headlines if group.scalar(each.name).mean.isfinite()}
        for group in groups
    ]
    by_all = set.intersection(*filter(None, known)) if any(known) else set()
    return next((each for each in headlines if each.name in by_all), headlines[-1])


def _rank(group: Group, by: Measure) -> tuple[bool, bool, float]:
    mean = float(group.scalar(by.name).mean)
    sign = 1 if by.better == "lower" else -1
    # NaN (training diverged) comes last; ``mean != mean`` is how it shows.
    return group.stage == VALIDATION, mean != mean, sign * mean
