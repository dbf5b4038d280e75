"""Standings: contestants ranked over the benchmarks that they share.

A mean over whichever benchmarks a contestant was run on mostly reflects the choice of benchmarks.
The ranking is therefore limited to contestants with scores on all of its benchmarks, and to the
benchmarks that maximise contestants times benchmarks. Other contestants are listed with the
benchmarks that they lack. Pairs are compared on all benchmarks that the two share.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

from lightning_modules.records.aggregates import (
    FEWEST_BENCHMARKS,
    Aggregate,
    Exceedance,
    Scores,
    exceedance,
    interquartile_mean,
    mean,
    probability_of_improvement,
)
from lightning_modules.records.benchmarks import BenchmarkRuns
from lightning_modules.records.groups import DASHES, Group, dashes
from lightning_modules.records.scores import ScoredBenchmark, Unscored, scored
from lightning_modules.records.significance import FEWEST_PAIRS
from lightning_modules.records.sizes import UNKNOWN

#: Decimal places of scores.
DIGITS = 2
#: How to read the standings.
EXPLANATION = (
    "Scores are comparable across benchmarks: 0 is the mean of the model without a memory that was "
    "trained alike, 1 is what a perfect memory reaches, by the measure that is named with the "
    "benchmark, and scores are linear between them. Scores on one benchmark have Student's 95% "
    "interval over seeds, which takes the 0 as exact. Contestants are ranked by the interquartile "
    "mean, the average of the middle half of all runs' scores, each benchmark counting the same; "
    "the mean beside it counts failures in full. Intervals of both are bootstrapped over "
    "benchmarks: not over seeds, which are too few, nor over test sequences, of which records keep "
    "only averages."
)
OF_IMPROVEMENT = (
    "The share of pairs in which a run of the row's contestant scores more than one of the "
    "column's, averaged over the benchmarks that both have; ties count as half. In brackets: the "
    "number of these benchmarks, where the ranking has another"
)
OF_PROFILE = "The share of runs that score above each value, each benchmark counting the same"


class Standing(NamedTuple):
    """A contestant's row."""

    contestant: str
    group: Group  #: one of its groups, for its look
    dash: str  #: line style, distinct among contestants of one colour
    middle: Aggregate | None  #: interquartile mean; None if not ranked
    mean: Aggregate | None
    lacks: list[str]  #: benchmarks of the ranking without a score of it


class Improvement(NamedTuple):
    """Probability that a contestant outscores another."""

    probability: Aggregate
    benchmarks: int  #: number that the two share


class Standings(NamedTuple):
    """Contestants over several benchmarks."""

    shared: list[ScoredBenchmark]  #: those of the ranking
    others: list[ScoredBenchmark]
    unscored: list[Unscored]
    rows: list[Standing]  #: ranked, the best first, then those not ranked

    @property
    def benchmarks(self) -> list[ScoredBenchmark]:
        """Benchmarks with scores, those of the ranking first."""
        return [*self.shared, *self.others]

    @property
    def ranked(self) -> list[Standing]:
        """Rows of the ranking."""
        return [row for row in self.rows if row.middle is not None]

    def means_in_words(self, row: Standing) -> list[str]:
        """Format the interquartile mean and the mean."""
        return [UNKNOWN if m is None else m.in_words(DIGITS) for m in (row.middle, row.mean)]

    def profile(self, contestant: str) -> Exceedance:
        """Return the performance profile of a ranked contestant."""
        return exceedance(scores_on(self.shared, contestant))

    def improvement(self, contestant: str, other: str) -> Improvement | None:
        """Compare two contestants on the benchmarks that they share; None without any."""
        both = [b for b in self.benchmarks if contestant in b.groups and other in b.groups]
        if not both:
            return None
        ours, theirs = (scores_on(both, name) for name in (contestant, other))
        return Improvement(probability_of_improvement(ours, theirs), len(both))

    def improvement_in_words(self, contestant: str, other: str) -> str:
        """Format the probability, with the number of benchmarks if the ranking has another."""
        result = None if contestant == other else self.improvement(contestant, other)
        if result is None:
            return UNKNOWN
        text = result.probability.in_words(DIGITS)
        return text + f" ({result.benchmarks})" * (result.benchmarks != len(self.shared))

    def remarks(self) -> Iterator[str]:
        """Yield notes on what the ranking covers, and what it excludes."""
        labels = "; ".join(benchmark.label for benchmark in self.shared)
        yield f"Ranked: {len(self.ranked)} contestants with scores on all of {labels}"
        floors: dict[str, list[str]] = {}
        for benchmark in self.benchmarks:
            floors.setdefault(benchmark.memoryless, []).append(benchmark.label)
        if len(floors) > 1:
            parts = (f"{name} on {'; '.join(labels)}" for name, labels in floors.items())
            yield f"The model without a memory, with a score of 0: {', '.join(parts)}"
        if len(self.shared) < FEWEST_BENCHMARKS:
            yield (
                f"No interval, and no conclusion on the order: {len(self.shared)} benchmarks say "
                f"too little about others; an interval needs {FEWEST_BENCHMARKS} or more"
            )
        for row in self.rows:
            if row.lacks:
                yield f"{row.contestant} is not ranked: it has no score on {'; '.join(row.lacks)}"
        reasons = dict.fromkeys(each.reason for each in self.unscored)
        for reason in reasons:
            without = "; ".join(each.label for each in self.unscored if each.reason == reason)
            yield f"No scores, as {reason}: {without}"
        for benchmark in self.benchmarks:
            yield from benchmark.notes


def standings(benchmarks: Sequence[BenchmarkRuns]) -> Standings | None:
    """Rank contestants; None if no two of them share two benchmarks."""
    tested = [benchmark for benchmark in benchmarks if any(run.tested for run in benchmark.runs)]
    results = [scored(benchmark) for benchmark in tested]
    scored_benchmarks = [_of_several_seeds(r) for r in results if isinstance(r, ScoredBenchmark)]
    shared = _largest(scored_benchmarks)
    if not shared:
        return None
    others = [benchmark for benchmark in scored_benchmarks if benchmark not in shared]
    contestants = dict.fromkeys(
        name for benchmark in scored_benchmarks for name in benchmark.groups
    )
    rows = [_standing(name, scored_benchmarks, shared) for name in contestants]
    styled = zip(rows, dashes([row.group.colour for row in rows]), strict=True)
    rows = [row._replace(dash=dash) for row, dash in styled]
    return Standings(
        shared,
        others,
        [each for each in results if isinstance(each, Unscored)],
        sorted(rows, key=_rank),
    )


def _of_several_seeds(benchmark: ScoredBenchmark) -> ScoredBenchmark:
    """Leave out contestants with too few seeds for a conclusion where others have enough."""
    seeds = {name: len(benchmark.scores(name)) for name in benchmark.groups}
    enough = min(FEWEST_PAIRS, max(seeds.values()))
    few = [name for name in seeds if seeds[name] < enough and name != benchmark.memoryless]
    if not few:
        return benchmark
    note = f"{benchmark.label}: left out with fewer than {enough} seeds: {', '.join(few)}"
    groups = {name: group for name, group in benchmark.groups.items() if name not in few}
    return benchmark._replace(groups=groups, notes=[*benchmark.notes, note])


def scores_on(benchmarks: Sequence[ScoredBenchmark], contestant: str) -> Scores:
    """Return a contestant's scores on benchmarks where it has some."""
    return [benchmark.scores(contestant) for benchmark in benchmarks]


def _largest(scored_benchmarks: Sequence[ScoredBenchmark]) -> list[ScoredBenchmark]:
    """Choose the ranking's benchmarks: at least two, shared by at least two contestants."""
    indices: dict[str, frozenset[int]] = {}
    for i, benchmark in enumerate(scored_benchmarks):
        for name in benchmark.groups:
            indices[name] = indices.get(name, frozenset()) | {i}
    # The benchmarks of a largest ranking are an intersection of contestants' sets.
    choices = set(indices.values())
    while intersections := {a & b for a, b in combinations(choices, 2)} - choices:
        choices |= intersections
    sizes = {choice: sum(choice <= own for own in indices.values()) for choice in choices}
    valid = [choice for choice in choices if len(choice) > 1 and sizes[choice] > 1]
    best = max(
        valid, key=lambda c: (len(c) * sizes[c], len(c), sorted(c, reverse=True)), default=()
    )
    return [scored_benchmarks[i] for i in sorted(best)]


def _standing(
    contestant: str, scored_benchmarks: Sequence[ScoredBenchmark], shared: Sequence[ScoredBenchmark]
) -> Standing:
    group = next(b.groups[contestant] for b in scored_benchmarks if contestant in b.groups)
    lacks = [benchmark.label for benchmark in shared if contestant not in benchmark.groups]
    if lacks:
        return Standing(contestant, group, DASHES[0], None, None, lacks)
    scores = scores_on(shared, contestant)
    return Standing(contestant, group, DASHES[0], interquartile_mean(scores), mean(scores), [])


def _rank(row: Standing) -> tuple[bool, float, str]:
    return row.middle is None, 0.0 if row.middle is None else -row.middle.value, row.contestant
