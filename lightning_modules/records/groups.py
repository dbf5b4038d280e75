"""Groups of runs: one model and core on one benchmark, trained alike, with several seeds.

One rule decides which runs are averaged in tables, figures and the page: runs are repetitions if
all settings that affect results are equal, apart from the seed.
"""

import re
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from math import inf, isfinite, nan
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from lightning_modules.declarations import Measure
from lightning_modules.names import counted, model_label
from lightning_modules.records.run import Run
from lightning_modules.records.settings import (
    completed,
    conflicting,
    decisive,
    differing,
    hashable,
    short_names,
)
from lightning_modules.records.significance import interval_factor, interval_in_words

Stage = Literal["test", "validation"]
TEST: Stage = "test"
VALIDATION: Stage = "validation"
#: Line styles of the first, second, ... group of one colour, as Plotly names them.
DASHES = ("solid", "dash", "dot", "dashdot")


class Estimate(NamedTuple):
    """A mean over runs, with its 95% interval."""

    mean: Tensor
    margin: Tensor  #: half-width of Student's interval; NaN for a single run

    def in_words(self, digits: int, limits: tuple[float, float] = (-inf, inf)) -> str:
        """Format as "0.33 [0.29, 0.37]"; without an interval if there is none; "-" if NaN.

        The interval ends at the least and largest possible value.
        """
        return interval_in_words(self.mean.item(), self.margin.item(), digits, limits=limits)


#: Most settings of a label that other groups lack; versions of the code may differ in dozens.
MOST_NAMED = 2
#: Estimate without runs.
NOTHING = Estimate(torch.tensor(nan), torch.tensor(nan))


def estimate(values: Tensor, seeds: Sequence[int | None]) -> Estimate:
    """Estimate the mean over seeds, with Student's interval.

    Runs with the same seed are not independent and are averaged first; otherwise the interval would
    be too narrow. Runs with an unknown seed count separately.

    Args:
        values: [N, ...], one per run.
        seeds: of the N runs.
    """
    of_seed: dict[Hashable, list[Tensor]] = {}
    for place, (seed, value) in enumerate(zip(seeds, values, strict=True)):
        of_seed.setdefault(("unknown", place) if seed is None else seed, []).append(value)
    means = torch.stack([torch.stack(runs).mean(0) for runs in of_seed.values()])
    count, mean = len(means), means.mean(0)
    if count == 1:
        return Estimate(mean, torch.full_like(mean, nan))
    return Estimate(mean, interval_factor(count) * means.std(0) / count**0.5)


class Group(NamedTuple):
    """Runs that differ only in their seeds."""

    runs: list[Run]
    settings: tuple[str, ...]  #: those that differ from other groups of this model and core
    dash: str = DASHES[0]
    stage: Stage = TEST  #: of all its runs; meaningless before ``by_stage``

    @property
    def model(self) -> str:
        """Class of the model."""
        return self.runs[0].declared.model

    @property
    def core(self) -> str:
        """Class of the memory core."""
        return self.runs[0].declared.core

    @property
    def label(self) -> str:
        """Name of the model, with its settings, and with its core if that is a setting."""
        core = self.core if "model.memory" in self.runs[0].settings else None
        return model_label(self.model, core, *self.settings)

    @property
    def colour(self) -> str:
        """Colour of the core, or of the baseline."""
        return self.runs[0].declared.colour

    @property
    def marker(self) -> str:
        """Marker of the core, or of the baseline."""
        return self.runs[0].declared.marker

    @property
    def contestant(self) -> str:
        """Class that is compared: the core, or a baseline model without a core of its own."""
        return self.runs[0].contestant

    @property
    def seeds(self) -> list[str]:
        """Distinct seeds of the runs, as text."""
        return list(dict.fromkeys(run.seed_name for run in self.runs))

    @property
    def size(self) -> str:
        """Number of seeds, as text; also the number of runs if some share a seed."""
        runs, seeds = len(self.runs), len(self.seeds)
        in_words = counted(seeds, "seed")
        return in_words if runs == seeds else f"{runs} runs of {in_words}"

    def knowing(self, name: str) -> "Group":
        """Select the runs with a finite value of this measure; a diverged test has none."""
        return self._replace(runs=[run for run in self.runs if isfinite(run.scalar(name))])

    def scalar(self, name: str) -> Estimate:
        """Estimate a measure [] over the seeds that have it."""
        runs = self.knowing(name).runs
        values = torch.tensor([run.scalar(name) for run in runs], dtype=torch.float64)
        return estimate(values, [run.seed for run in runs]) if runs else NOTHING

    def number(self, measure: Measure, digits: int | None = None) -> str:
        """Format the mean with its interval, and the number of seeds if some lack a value.

        Args:
            measure: the measure.
            digits: decimal places; default: the measure's.
        """
        digits = measure.digits if digits is None else digits
        text = self.scalar(measure.name).in_words(digits, measure.limits)
        known, seeds = len(self.knowing(measure.name).seeds), len(self.seeds)
        return text if known in (0, seeds) else f"{text} ({known} of {seeds} seeds)"

    def by_seed(self, name: str) -> dict[int | None, float]:
        """Return a measure by seed, averaged over runs; seeds without a value are omitted."""
        by_seed: dict[int | None, list[float]] = {}
        for run in self.knowing(name).runs:
            by_seed.setdefault(run.seed, []).append(run.scalar(name))
        return {seed: sum(values) / len(values) for seed, values in by_seed.items()}

    def with_curve(self, name: str) -> "Group":
        """Select the runs with a full-length curve."""
        lengths = [0 if (curve := run.curve(name)) is None else len(curve) for run in self.runs]
        pairs = zip(self.runs, lengths, strict=True)
        return self._replace(runs=[run for run, length in pairs if 0 < length == max(lengths)])

    def curve(self, name: str) -> Estimate | None:
        """Estimate a curve [T] over the runs that have it in full length."""
        whole = self.with_curve(name).runs
        curves = [curve for run in whole if (curve := run.curve(name)) is not None]
        return estimate(torch.stack(curves), [run.seed for run in whole]) if curves else None

    def caveats(self) -> Iterator[str]:
        """Yield warnings about seeds that are shared or unknown."""
        seeds = Counter(run.seed for run in self.runs)
        unknown = seeds.pop(None, 0)
        if any(count > 1 for count in seeds.values()):
            yield f"{self.label}: runs with the same seed are averaged, and count as one"
        if unknown and len(self.runs) > 1:
            yield f"{self.label}: runs whose seed is not known count as independent"


def by_group(runs: Sequence[Run]) -> list[Group]:
    """Group repetitions; groups of one model and core are adjacent."""
    kinds: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        kinds.setdefault((run.declared.model, run.declared.core), []).append(run)
    return list(_with_dashes(group for kind in kinds.values() for group in _of_kind(kind)))


def by_stage(group: Group) -> Iterator[Group]:
    """Yield a group's tested runs, then those only validated: these are never averaged."""
    for stage in (TEST, VALIDATION):
        runs = [run for run in group.runs if (run.tested is None) == (stage == VALIDATION)]
        if runs:
            yield group._replace(runs=runs, stage=stage)


def tested_groups(runs: Sequence[Run]) -> list[Group]:
    """List the groups of tested runs, labelled as among all runs."""
    stages = (stage for group in by_group(runs) for stage in by_stage(group))
    return [group for group in stages if group.stage == TEST]


def _of_kind(runs: Sequence[Run]) -> Iterator[Group]:
    settings = completed([decisive(run.settings) for run in runs])
    groups = _alike(settings, [run.kept_as for run in runs])
    for values, places in sorted(groups.items(), key=lambda item: _natural(item[0])):
        yield Group([runs[i] for i in places], values)


def _alike(
    settings: Sequence[Mapping[str, Any]], kept_as: Sequence[str | None]
) -> dict[tuple[str, ...], list[int]]:
    """Map labels such as "read_heads=1" to the indices of runs with equal settings."""
    names = short_names(differing(settings))
    groups: dict[Hashable, list[int]] = {}
    for place, own in enumerate(settings):
        groups.setdefault(hashable(own), []).append(place)
    first = [settings[places[0]] for places in groups.values()]
    kept = [{kept_as[place] for place in places} for places in groups.values()]
    return dict(zip(_labels(first, names, kept), groups.values(), strict=True))


def _labels(
    settings: Sequence[Mapping[str, Any]],
    names: Mapping[str, str],
    kept_as: Sequence[set[str | None]],
) -> list[tuple[str, ...]]:
    """Label groups by settings that differ; if these are equal, by settings that others lack.

    Switches that are off are left out where labels remain distinct.

    If labels would be long, groups of kept records are labelled by the records' names.

    Args:
        settings: of each group.
        names: short names of the differing keys.
        kept_as: names of each group's records.
    """
    shared = conflicting(settings)
    lacked = [key for key in names if key not in shared]
    labels = [_values(own, shared, names) for own in settings]
    records = [name for each in kept_as for name in each if name is not None]
    one_name_each = len({*records}) == len(settings) == sum(map(len, kept_as))
    if one_name_each and any(len(label) > 2 * MOST_NAMED for label in labels):
        return [(name,) for name in records]
    on = [
        _values(own, [key for key in shared if own.get(key) is not False], names)
        for own in settings
    ]
    if len({*on}) == len(on):
        labels = on
    additions = [
        _values(own, lacked, names) if labels.count(label) > 1 else ()
        for own, label in zip(settings, labels, strict=True)
    ]
    short_additions = [
        each if len(each) <= MOST_NAMED else (f"{len(each)} more settings",) for each in additions
    ]
    short_labels = [
        own if len(own) <= 2 * MOST_NAMED else (own[0], f"{len(own) - 1} more settings")
        for own in labels
    ]
    short, full = (
        [(*label, *addition) for label, addition in zip(*parts, strict=True)]
        for parts in ((short_labels, short_additions), (labels, additions))
    )
    return short if len(set(short)) == len(short) else full


def _values(
    own: Mapping[str, Any], keys: Sequence[str], names: Mapping[str, str]
) -> tuple[str, ...]:
    return tuple(_in_words(names[key], own[key]) for key in keys if key in own)


def _in_words(name: str, value: Any) -> str:
    """Write a setting as ``slots=8``, and a switch that is on by its name."""
    return name.replace("_", " ") if value is True else f"{name}={value}"


def _natural(values: Sequence[str]) -> list[str]:
    """Return a sort key that orders numbers by size: slots=8 before slots=16."""
    return [re.sub(r"\d+", lambda digits: digits[0].zfill(12), value) for value in values]


def dashes(colours: Sequence[str]) -> list[str]:
    """Return a line style for each colour; lines of equal colour get different ones."""
    return [DASHES[colours[:i].count(each) % len(DASHES)] for i, each in enumerate(colours)]


def _with_dashes(groups: Iterable[Group]) -> Iterator[Group]:
    several = list(groups)
    for group, dash in zip(several, dashes([each.colour for each in several]), strict=True):
        yield group._replace(dash=dash)
