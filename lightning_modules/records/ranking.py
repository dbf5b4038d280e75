"""Groups of runs ranked by a headline, with how surely each differs from the best."""

from collections.abc import Iterable, Sequence
from math import isfinite, nan
from typing import NamedTuple

from lightning_modules.declarations import Family, Measure
from lightning_modules.records.benchmarks import BenchmarkRuns
from lightning_modules.records.groups import TEST, VALIDATION, Group, by_group, by_stage
from lightning_modules.records.significance import PairedDifference, holm, paired_difference

#: Of a difference whose interval contains 0, or that is of fewer than three seeds.
NO_CONCLUSION = "no conclusion"


class Row(NamedTuple):
    """A group at one stage, beside the one with the best mean."""

    group: Group
    best: bool  #: whether it may be called so: see ``is_best``
    difference: PairedDifference | None  #: from the first; None for the first, and validations
    p: float  #: corrected; NaN where there is no test


class Ranking(NamedTuple):
    """All groups on one benchmark."""

    benchmark: BenchmarkRuns
    headline: Measure  #: they are ranked by it
    rows: list[Row]  #: the best tested first, then those that were only validated


def ranked(benchmark: BenchmarkRuns) -> Ranking:
    """Rank groups by the first headline that all of them know."""
    groups = [stage for group in by_group(benchmark.runs) for stage in by_stage(group)]
    measured = [group for group in groups if group.stage == TEST] or groups
    by = headline(benchmark.family, measured)
    in_order = sorted(groups, key=lambda group: _rank(group, by))
    tested = [group for group in in_order if group.stage == TEST]
    values = [group.by_seed(by.name) for group in tested]
    against = [paired_difference(own, values[0]) for own in values[1:]]
    rows = [Row(group, is_best(tested, by), None, nan) for group in tested[:1]]
    corrected = holm([each.p for each in against])
    rows += map(Row, tested[1:], [False] * len(against), against, corrected)
    rows += [Row(group, False, None, nan) for group in in_order if group.stage == VALIDATION]
    return Ranking(benchmark, by, rows)


def is_best(tested: Sequence[Group], by: Measure) -> bool:
    """Tell whether the first of some groups is the best one, not just the first.

    It is if there is another, and if its mean is one of two seeds or more: a single run says
    nothing of how much luck is in it. A measure without a direction has no best value.

    Args:
        tested: groups, in the order of their means.
        by: the measure that they are ranked by.
    """
    known = {run.seed for run in tested[0].runs if isfinite(run.scalar(by.name))}
    others = [group for group in tested[1:] if group.scalar(by.name).mean.isfinite()]
    return by.better != "neither" and len(known) > 1 and len(others) > 0


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
