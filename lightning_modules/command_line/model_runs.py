"""Runs of one model with several seeds: means and their standard errors."""

from collections.abc import Iterable, Iterator, Mapping
from math import nan
from typing import Any, NamedTuple

import torch
from torch import Tensor

from lightning_modules.command_line.checkpoint_check import flattened
from lightning_modules.command_line.run_results import RunResults


class Estimate(NamedTuple):
    """Over runs."""

    mean: Tensor
    error: Tensor  #: standard error of the mean; NaN for a single run


class ModelRuns(NamedTuple):
    """Tested runs of one model with one memory core."""

    runs: list[RunResults]

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
        """The model, and its core where that is a choice."""
        chosen = "memory" in self.runs[0].model_settings.get("init_args", {})
        return f"{self.model} ({self.memory})" if chosen else self.model

    def scalar(self, name: str) -> Estimate:
        """Of one of ``SCALARS``, []."""
        return estimate(torch.tensor([run.scalars[name] for run in self.runs]))

    def kl(self) -> Estimate:
        """Of the KL of each step, [T], in nats."""
        return estimate(torch.stack([run.kl for run in self.runs]))

    def caveats(self) -> Iterator[str]:
        """What makes the runs more than repetitions with other seeds, or less."""
        if len({run.seed for run in self.runs}) < len(self.runs):
            yield f"{self.label}: runs with the same seed count as independent"
        keys = differing([dict(flattened("model", run.model_settings)) for run in self.runs])
        if keys:
            yield f"{self.label}: averaged over runs that differ in {', '.join(keys)}"


def by_model(runs: Iterable[RunResults]) -> list[ModelRuns]:
    """Put runs of the same model and core together, in the order of their first runs."""
    groups: dict[tuple[str, str | None], ModelRuns] = {}
    for run in runs:
        groups.setdefault((run.model, run.memory), ModelRuns([])).runs.append(run)
    return list(groups.values())


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


def differing(settings: list[Mapping[str, Any]]) -> list[str]:
    """Keys whose values are not all the same."""
    keys = dict.fromkeys(key for each in settings for key in each)
    return [key for key in keys if any(e.get(key) != settings[0].get(key) for e in settings)]
