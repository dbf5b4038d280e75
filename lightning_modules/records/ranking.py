"""Groups of runs ranked by a headline measure, with tests against a reference."""

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

#: Marks a difference over fewer than three seeds, or one that is not significant.
NO_CONCLUSION = "no conclusion"
#: Shown in place of the reference's own difference.
REFERENCE = "reference"


class Row(NamedTuple):
    """A group at one stage, compared with the reference: see ``reference_among``."""

    group: Group
    best: bool  #: see ``is_best``
    difference: PairedDifference | None  #: None for the reference and for validations
    p: float  #: corrected for the number of groups; NaN without a test

    @property
    def is_reference(self) -> bool:
        """Whether the other groups are compared with this one."""
        return self.group.stage == TEST and self.difference is None

    @property
    def conclusive(self) -> bool:
        """Whether it differs from the reference, by the corrected p, not by the interval."""
        return self.p < LEVEL

    def in_words(self, digits: int) -> str:
        """Format the difference with its interval, marked if it is inconclusive."""
        if self.difference is None:
            return REFERENCE if self.is_reference else ""
        text = self.difference.in_words(digits)
        return text if self.conclusive else f"{text}, {NO_CONCLUSION}"


class Ranking(NamedTuple):
    """All groups on one benchmark."""

    benchmark: BenchmarkRuns
    headline: Measure  #: measure of the ranking
    rows: list[Row]  #: tested groups, the best first, then those only validated

    @property
    def explanation(self) -> str:
        """Sentence that names and explains the headline."""
        return f"Ranked by {self.headline.header}: {self.headline.sentence}."


def ranked(benchmark: BenchmarkRuns) -> Ranking:
    """Rank groups by the first headline that all of them have."""
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
    """Return whether the first group may be called the best.

    This needs another group to compare with, and a mean over three seeds or more: with fewer, no
    comparison is conclusive. A measure without a direction has no best value.

    Args:
        tested: groups, in the order of their means.
        by: measure of the ranking.
    """
    seeds = tested[0].by_seed(by.name).keys() - {None}
    others = [group for group in tested[1:] if group.scalar(by.name).mean.isfinite()]
    return by.better != "neither" and len(seeds) >= FEWEST_PAIRS and len(others) > 0


def headline(family: Family, groups: Iterable[Group]) -> Measure:
    """Return the first headline shared by all groups that have any; else the family's last one."""
    headlines = family.headlines
    measured = [
        {each.name for each in headlines if group.scalar(each.name).mean.isfinite()}
        for group in groups
    ]
    shared = set.intersection(*filter(None, measured)) if any(measured) else set()
    return next((each for each in headlines if each.name in shared), headlines[-1])


def _rank(group: Group, by: Measure) -> tuple[bool, bool, float]:
    mean = float(group.scalar(by.name).mean)
    sign = 1 if by.better == "lower" else -1
    # NaN (training diverged) comes last.
    return group.stage == VALIDATION, mean != mean, sign * mean
