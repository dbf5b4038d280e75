"""Runs of one model with several seeds: means and their standard errors."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import nan
from typing import Any, NamedTuple

import torch
from torch import Tensor

from lightning_modules.command_line.checkpoint_check import flattened
from lightning_modules.names import model_label
from lightning_modules.records.results_file import RunResults

#: They change no result; of the sources, the one that was really used counts.
IRRELEVANT = {
    *(f"data.{name}" for name in ("eval_batch_size", "num_workers", "data_dir", "source")),
    "model.compile",
}


class Estimate(NamedTuple):
    """Over runs."""

    mean: Tensor
    error: Tensor  #: standard error of the mean; NaN for a single run

    def in_words(self, digits: int) -> str:
        """Such as "0.33 ± 0.02", as far as mean and error are known; else a dash."""
        mean, error = (f"{part.item():,.{digits}f}" if part.isfinite() else "" for part in self)
        return (f"{mean} ± {error}" if error else mean) or "-"


class ModelRuns(NamedTuple):
    """Tested runs of one model with one memory core and the same settings of both."""

    runs: list[RunResults]
    settings: tuple[str, ...] = ()  #: what tells it from others with this core: "read_heads=1"

    @property
    def model(self) -> str:
        """Class of the model."""
        return self.runs[0].model

    @property
    def memory(self) -> str | None:
        """Class of the memory core."""
        return self.runs[0].memory

    @property
    def label(self) -> str:
        """The model, its core where that is a choice, and its settings."""
        chosen = "memory" in self.runs[0].model_settings.get("init_args", {})
        return model_label(self.model, self.memory if chosen else None, *self.settings)

    def scalar(self, name: str) -> Estimate:
        """Of a number that its family's reading has, []."""
        return estimate(torch.tensor([run.scalars[name] for run in self.runs]))

    def curve(self) -> Estimate:
        """Of the curve that its family's reading has, [T]."""
        return estimate(torch.stack([run.curve for run in self.runs]))

    def caveats(self) -> Iterator[str]:
        """What makes the runs more than repetitions with other seeds, or less."""
        seeds = Counter(run.seed for run in self.runs)
        unknown = seeds.pop(None, 0)
        if any(count > 1 for count in seeds.values()):
            yield f"{self.label}: runs with the same seed count as independent"
        if unknown and len(self.runs) > 1:
            yield f"{self.label}: runs whose seed is not known count as independent"
        data = differing([dict(flattened("data", run.data_settings)) for run in self.runs])
        keys = [key for key in data if key not in IRRELEVANT]
        if keys:
            yield f"{self.label}: averaged over runs that differ in {', '.join(keys)}"


def by_model(runs: Iterable[RunResults]) -> list[ModelRuns]:
    """Put runs of the same model, core and settings together; those of one core are neighbours."""
    kinds: dict[tuple[str, str | None], list[RunResults]] = {}
    for run in runs:
        kinds.setdefault((run.model, run.memory), []).append(run)
    return [model for kind in kinds.values() for model in by_settings(kind)]


def by_settings(runs: Sequence[RunResults]) -> list[ModelRuns]:
    """Put runs together that have the same settings of the model, in the order of their first."""
    settings = [dict(flattened("model", run.model_settings)) for run in runs]
    groups = alike(settings).items()
    return [ModelRuns([runs[i] for i in places], values) for values, places in groups]


def alike(settings: Sequence[Mapping[str, Any]]) -> dict[tuple[str, ...], list[int]]:
    """Places of those that are the same, by what tells them from the others: "read_heads=1"."""
    names = short_names([key for key in differing(settings) if key not in IRRELEVANT])
    groups: dict[tuple[str, ...], list[int]] = {}
    for place, own in enumerate(settings):
        values = tuple(f"{name}={own[key]}" for key, name in names.items() if key in own)
        groups.setdefault(values, []).append(place)
    return groups


def short_names(keys: Sequence[str]) -> dict[str, str]:
    """The last part of each key, or all but the first where that is not unique."""
    last = {key: key.rpartition(".")[2] for key in keys}
    count = Counter(last.values())
    return {k: name if count[name] == 1 else k.partition(".")[2] for k, name in last.items()}


def estimate(values: Tensor) -> Estimate:
    """Mean and standard error over the first dimension.

    Args:
        values: [N, ...].
    """
    count = len(values)
    mean = values.mean(0)
    if count == 1:
        return Estimate(mean, torch.full_like(mean, nan))
    return Estimate(mean, values.std(0) / count**0.5)


def differing(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Keys whose values are not all the same."""
    keys = dict.fromkeys(key for each in settings for key in each)
    return [key for key in keys if any(e.get(key) != settings[0].get(key) for e in settings)]
