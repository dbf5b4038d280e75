"""Groups of runs: one model and core on one benchmark, trained alike, with several seeds.

One rule says which runs are averaged, in tables, figures and the page: runs are repetitions of each
other if all settings that decide results are the same but the seed.
"""

import re
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from math import isfinite, nan
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from lightning_modules.names import counted, model_label
from lightning_modules.records.run import Run
from lightning_modules.records.settings import decisive, differing, short_names, told_apart
from lightning_modules.records.significance import interval_factor, interval_in_words

Stage = Literal["test", "validation"]
TEST: Stage = "test"
VALIDATION: Stage = "validation"
#: Line styles of the first, second, ... group of one colour, as Plotly names them.
DASHES = ("solid", "dash", "dot", "dashdot")


class Estimate(NamedTuple):
    """A mean over runs, with its 95% interval."""

    mean: Tensor
    margin: Tensor  #: from the mean to both ends of Student's interval; NaN for a single run

    def in_words(self, digits: int) -> str:
        """Write it as "0.33 [0.29, 0.37]", as far as mean and margin are known; else a dash."""
        return interval_in_words(self.mean.item(), self.margin.item(), digits)


#: Settings that others lack are named if they are so few; versions between them have dozens.
MOST_NAMED = 2
#: Estimate over no runs.
NOTHING = Estimate(torch.tensor(nan), torch.tensor(nan))


def estimate(values: Tensor, seeds: Sequence[int | None]) -> Estimate:
    """Estimate the mean over seeds, and Student's interval of it.

    Runs of one seed are averaged first: they share what makes seeds differ, so that an interval
    over all of them would be too narrow. Runs whose seed is not known count one by one.

    Args:
        values: [N, ...], of the runs.
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
    """Repetitions with other seeds."""

    runs: list[Run]
    settings: tuple[str, ...]  #: those that tell it from others with this model and core
    dash: str = DASHES[0]
    stage: Stage = TEST  #: of all its runs; before ``by_stage`` it says nothing

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
        """Name of the model, with its core if that is a choice, and its settings."""
        chosen = self.core if "model.memory" in self.runs[0].settings else None
        return model_label(self.model, chosen, *self.settings)

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
        """Class that is compared: the core, or a baseline without one of its own."""
        return self.runs[0].contestant

    @property
    def seeds(self) -> list[str]:
        """Seeds of the runs, in words."""
        return list(dict.fromkeys(run.seed_name for run in self.runs))

    @property
    def size(self) -> str:
        """Number of seeds, in words; of runs, too, where some share one."""
        runs, seeds = len(self.runs), len(self.seeds)
        in_words = counted(seeds, "seed")
        return in_words if runs == seeds else f"{runs} runs of {in_words}"

    def knowing(self, name: str) -> "Group":
        """Select the runs that have a number of this name; a test that diverged has none."""
        return self._replace(runs=[run for run in self.runs if isfinite(run.scalar(name))])

    def scalar(self, name: str) -> Estimate:
        """Estimate a number over the seeds that know it, []."""
        runs = self.knowing(name).runs
        values = torch.tensor([run.scalar(name) for run in runs], dtype=torch.float64)
        return estimate(values, [run.seed for run in runs]) if runs else NOTHING

    def number(self, name: str, digits: int) -> str:
        """Write the mean with its interval, and of how many seeds it is where some have none."""
        written = self.scalar(name).in_words(digits)
        known, seeds = len(self.knowing(name).seeds), len(self.seeds)
        return written if known in (0, seeds) else f"{written} ({known} of {seeds} seeds)"

    def by_seed(self, name: str) -> dict[int | None, float]:
        """Return a number by seed, of those that know it; runs with the same seed are averaged."""
        found: dict[int | None, list[float]] = {}
        for run in self.knowing(name).runs:
            found.setdefault(run.seed, []).append(run.scalar(name))
        return {seed: sum(values) / len(values) for seed, values in found.items()}

    def with_curve(self, name: str) -> "Group":
        """Select the runs that know a curve at all of its steps."""
        lengths = [0 if (curve := run.curve(name)) is None else len(curve) for run in self.runs]
        pairs = zip(self.runs, lengths, strict=True)
        return self._replace(runs=[run for run, length in pairs if 0 < length == max(lengths)])

    def curve(self, name: str) -> Estimate | None:
        """Estimate a curve [T] over the runs that know it at all of its steps."""
        whole = self.with_curve(name).runs
        curves = [curve for run in whole if (curve := run.curve(name)) is not None]
        return estimate(torch.stack(curves), [run.seed for run in whole]) if curves else None

    def caveats(self) -> Iterator[str]:
        """Yield reasons why the runs are less than repetitions with other seeds."""
        seeds = Counter(run.seed for run in self.runs)
        unknown = seeds.pop(None, 0)
        if any(count > 1 for count in seeds.values()):
            yield f"{self.label}: runs with the same seed are averaged, and count as one"
        if unknown and len(self.runs) > 1:
            yield f"{self.label}: runs whose seed is not known count as independent"


def by_group(runs: Sequence[Run]) -> list[Group]:
    """Group repetitions; groups of one model and core are neighbours."""
    kinds: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        kinds.setdefault((run.declared.model, run.declared.core), []).append(run)
    return list(_with_dashes(group for kind in kinds.values() for group in _of_kind(kind)))


def by_stage(group: Group) -> Iterator[Group]:
    """Yield a group's tested runs, then those only validated: their numbers do not mix."""
    for stage in (TEST, VALIDATION):
        runs = [run for run in group.runs if (run.tested is None) == (stage == VALIDATION)]
        if runs:
            yield group._replace(runs=runs, stage=stage)


def tested_groups(runs: Sequence[Run]) -> list[Group]:
    """List the groups of tested runs, with the names that they have beside the others."""
    stages = (stage for group in by_group(runs) for stage in by_stage(group))
    return [group for group in stages if group.stage == TEST]


def _of_kind(runs: Sequence[Run]) -> Iterator[Group]:
    groups = _alike([decisive(run.settings) for run in runs], [run.kept_as for run in runs])
    for values, places in sorted(groups.items(), key=lambda item: _natural(item[0])):
        yield Group([runs[i] for i in places], values)


def _alike(
    settings: Sequence[Mapping[str, Any]], kept_as: Sequence[str | None]
) -> dict[tuple[str, ...], list[int]]:
    """Group the places of equal settings by what tells them from others: "read_heads=1"."""
    names = short_names(differing(settings))
    groups: dict[tuple[str, ...], list[int]] = {}
    for place, own in enumerate(settings):
        # A setting that is not there is one of no value.
        groups.setdefault(tuple(str(own.get(key)) for key in names), []).append(place)
    first = [settings[places[0]] for places in groups.values()]
    kept = [{kept_as[place] for place in places} for places in groups.values()]
    return dict(zip(_labels(first, names, kept), groups.values(), strict=True))


def _labels(
    settings: Sequence[Mapping[str, Any]],
    names: Mapping[str, str],
    kept_as: Sequence[set[str | None]],
) -> list[tuple[str, ...]]:
    """Name settings by values that differ; only where these are the same, by what others lack.

    Where that would be a long list, records go by the name under which they are kept.

    Args:
        settings: of each group.
        names: short names of the keys in which they differ.
        kept_as: names of each group's records.
    """
    told = told_apart(settings)
    lacked = [key for key in names if key not in told]
    labels = [_values(own, told, names) for own in settings]
    more = [
        _values(own, lacked, names) if labels.count(label) > 1 else ()
        for own, label in zip(settings, labels, strict=True)
    ]
    kept = [name for each in kept_as for name in each if name is not None]
    told_by_name = len({*kept}) == len(settings) == sum(map(len, kept_as))
    if told_by_name and any(len(label) > 2 * MOST_NAMED for label in labels):
        return [(name,) for name in kept]
    brief = [each if len(each) <= MOST_NAMED else (f"{len(each)} more settings",) for each in more]
    few = [
        own if len(own) <= 2 * MOST_NAMED else (own[0], f"{len(own) - 1} more settings")
        for own in labels
    ]
    short, full = (
        [(*label, *rest) for label, rest in zip(named, added, strict=True)]
        for named, added in ((few, brief), (labels, more))
    )
    return short if len(set(short)) == len(short) else full


def _values(
    own: Mapping[str, Any], keys: Sequence[str], names: Mapping[str, str]
) -> tuple[str, ...]:
    return tuple(f"{names[key]}={own[key]}" for key in keys if key in own)


def _natural(values: Sequence[str]) -> list[str]:
    """Sort numbers by size: slots=8 comes before slots=16."""
    return [re.sub(r"\d+", lambda digits: digits[0].zfill(12), value) for value in values]


def dashes(colours: Sequence[str]) -> list[str]:
    """Return a dash for each line, which tells it from earlier ones of its colour."""
    return [DASHES[colours[:i].count(each) % len(DASHES)] for i, each in enumerate(colours)]


def _with_dashes(groups: Iterable[Group]) -> Iterator[Group]:
    several = list(groups)
    for group, dash in zip(several, dashes([each.colour for each in several]), strict=True):
        yield group._replace(dash=dash)
