"""Scores that compare across benchmarks: 0 without a memory, 1 for a perfect one.

A score is linear in a measure: (value - floor) / (perfect - floor). The family declares the perfect
value (a KL ratio of 0, a gap of 0 to the optimum) and the models without memory; the floor is the
mean of such a model over seeds on the same benchmark, taken as exact. Scores below 0 are not
clipped.

Contestants are memory cores where the core is a setting, else models. So that only the memory
differs, a run counts if it was trained like the model without memory: with the same data, trainer
and budgets. If a core has several variants on a benchmark, the one whose model differs from the
model without memory in the fewest settings counts; on a tie none does. Exclusions are reported.
"""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from math import inf
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lightning_modules.declarations import Family, Measure
from lightning_modules.records.benchmarks import BenchmarkRuns
from lightning_modules.records.groups import Estimate, Group, by_group
from lightning_modules.records.run import Run
from lightning_modules.records.settings import BUDGETS, completed, effective, hashable
from lightning_modules.records.sizes import UNKNOWN

#: Settings that all contestants on a benchmark must share.
CONDITIONS = ("data", "trainer", *BUDGETS)


class ScoredBenchmark(NamedTuple):
    """A benchmark, and the contestants with a score on it."""

    label: str
    measure: Measure
    floor: float  #: mean of the model without memory
    memoryless: str  #: the contestant without memory
    groups: Mapping[str, Group]  #: by contestant
    notes: list[str]  #: what was excluded, and why

    def scores(self, contestant: str) -> NDArray[np.float64]:
        """Return a contestant's scores, one per seed."""
        values = self.groups[contestant].by_seed(self.measure.name).values()
        return (np.array([*values]) - self.floor) / self._range

    def estimate(self, contestant: str) -> Estimate:
        """Estimate a contestant's mean score over seeds, with Student's interval."""
        value = self.groups[contestant].scalar(self.measure.name)
        return Estimate((value.mean - self.floor) / self._range, value.margin / abs(self._range))

    @property
    def heading(self) -> str:
        """Name of the benchmark, with the measure that its scores are computed from."""
        return f"{self.label}, by {self.measure.header}"

    def in_words(self, contestant: str, digits: int) -> str:
        """Format a contestant's mean score with its interval; "-" if it has none."""
        if contestant not in self.groups:
            return UNKNOWN
        return self.estimate(contestant).in_words(digits, (-inf, 1.0))

    @property
    def _range(self) -> float:
        assert self.measure.perfect is not None
        return self.measure.perfect - self.floor


class Unscored(NamedTuple):
    """A benchmark without scores."""

    label: str
    reason: str


def scored(benchmark: BenchmarkRuns) -> ScoredBenchmark | Unscored:
    """Score the contestants on a benchmark, if it has a floor and a perfect value."""
    family, label = benchmark.family, benchmark.label
    runs, others = _trained_alike(benchmark, family)
    memoryless = _memoryless(runs, family)
    if memoryless is None:
        return Unscored(label, "no model without a memory was tested there")
    variants: dict[str, list[Group]] = {}
    for group in by_group(runs):
        variants.setdefault(contestant_of(group.runs[0]), []).append(group)
    plain = _nearest(variants[memoryless], {})
    if plain is None:
        return Unscored(label, f"{memoryless} has several variants there")
    nearest = {name: _nearest(groups, _model(plain)) for name, groups in variants.items()}
    groups = {**{name: group for name, group in nearest.items() if group}, memoryless: plain}
    measure, floor = _measured(plain, family)
    if measure is None:
        return Unscored(label, "none of its measures has a known perfect value")
    measured = {name: group for name, group in groups.items() if group.by_seed(measure.name)}
    if not _worse(floor, measure):
        return Unscored(label, f"{memoryless} is perfect there")
    notes = [*_left_out(others, memoryless, label), *_variants_left_out(variants, groups, label)]
    notes += [f"{label}: {name} has no {measure.header}" for name in groups if name not in measured]
    return ScoredBenchmark(label, measure, floor, memoryless, measured, notes)


def contestant_of(run: Run) -> str:
    """Name the contestant of a run; a VRNN is not a GTMM without memory, despite the same core."""
    return run.contestant if "model.memory" in run.settings else run.declared.model


def _trained_alike(benchmark: BenchmarkRuns, family: Family) -> tuple[list[Run], list[Run]]:
    """Choose the conditions with a model without memory and the most contestants.

    Returns:
        The tested runs under these conditions, and all other tested runs.
    """
    alike: dict[Hashable, list[Run]] = {}
    tested = [run for run in benchmark.runs if run.tested is not None]
    conditions = completed([effective(run.settings, *CONDITIONS) for run in tested])
    for run, own in zip(tested, conditions, strict=True):
        alike.setdefault(hashable(own), []).append(run)
    compared = (key for key, runs in alike.items() if _memoryless(runs, family))
    sizes = {key: (len(set(map(contestant_of, alike[key]))), len(alike[key])) for key in compared}
    most = max(sizes, key=sizes.__getitem__, default=None)
    selected = alike.pop(most, [])
    return selected, [run for runs in alike.values() for run in runs]


def _memoryless(runs: Sequence[Run], family: Family) -> str | None:
    contestants = set(map(contestant_of, runs))
    return next((name for name in family.memoryless if name in contestants), None)


def _model(group: Group) -> dict[str, Any]:
    return effective(group.runs[0].settings, "model")


def _nearest(variants: Sequence[Group], model: Mapping[str, Any]) -> Group | None:
    """Choose the variant that differs in the fewest settings; None on a tie."""
    distances = []
    for variant in variants:
        own = _model(variant)
        distances.append(sum(own.get(key) != model.get(key) for key in own.keys() | model.keys()))
    least = min(distances)
    return variants[distances.index(least)] if distances.count(least) == 1 else None


def _measured(plain: Group, family: Family) -> tuple[Measure | None, float]:
    """Choose the measure of the scores, and return it with its mean without memory."""
    tested = plain.runs[0].tested
    assert tested is not None
    for measure in family.scoring(tested.benchmark.name):
        floor = plain.scalar(measure.name).mean
        if floor.isfinite():
            return measure, float(floor)
    return None, float("nan")


def _worse(floor: float, measure: Measure) -> bool:
    """Return whether a value is worse than perfect."""
    assert measure.perfect is not None
    return floor > measure.perfect if measure.better == "lower" else floor < measure.perfect


def _left_out(others: Sequence[Run], memoryless: str, label: str) -> Iterator[str]:
    names = ", ".join(sorted(set(map(contestant_of, others))))
    if names:
        yield f"{label}: runs of {names} that were not trained as {memoryless} was are left out"


def _variants_left_out(
    variants: Mapping[str, Sequence[Group]], scored: Mapping[str, Group], label: str
) -> Iterator[str]:
    for name, groups in variants.items():
        others = "; ".join(group.label for group in groups if group is not scored.get(name))
        if name not in scored:
            yield f"{label}: {name} has no score; no variant is nearest to the baseline: {others}"
        elif others:
            yield f"{label}: {name} is {scored[name].label}, not {others}"
