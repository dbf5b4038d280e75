"""Runs of one model and core on one benchmark, trained alike: repetitions with other seeds."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from lightning_modules.names import model_label
from lightning_modules.pictures.looks import look_of
from lightning_modules.records.model_runs import Estimate, alike, estimate
from lightning_modules.records.run import RunRecord

#: Plotly's names, of the first, second, ... variant that looks alike.
DASHES = ("solid", "dash", "dot", "dashdot")
#: Of the trainer's settings, those that decide what is learned.
TRAINING = {
    f"trainer.{name}"
    for name in (
        *("max_steps", "max_epochs", "max_time", "precision", "limit_train_batches"),
        *("accumulate_grad_batches", "gradient_clip_val", "gradient_clip_algorithm"),
    )
}
TEST, VALIDATION = "test", "validation"


NOTHING = torch.tensor(torch.nan)


class Variant(NamedTuple):
    """What is averaged."""

    runs: list[RunRecord]
    settings: tuple[str, ...]  #: what tells it from others with this model and core
    dash: str = DASHES[0]
    stage: str = TEST  #: of all of its runs, or where learning is concerned of none

    @property
    def label(self) -> str:
        """The model, its core where that is a choice, and its settings."""
        first = self.runs[0]
        chosen = first.memory if "model.memory" in first.settings else None
        return model_label(first.model, chosen, *self.settings)

    @property
    def colour(self) -> str:
        """Of the core."""
        return look_of(self.runs[0].model, self.runs[0].memory).colour

    @property
    def core(self) -> str:
        """What the filter calls it."""
        return self.runs[0].core

    @property
    def seeds(self) -> list[str]:
        """Of the runs, as the filter names them."""
        return list(dict.fromkeys(seed_name(run) for run in self.runs))

    def values(self, name: str) -> Tensor:
        """A number of each run, [N]; NaN where it is not known."""
        return torch.tensor([run.scalar(name) for run in self.runs], dtype=torch.float64)

    def scalar(self, name: str) -> Estimate:
        """A number over the runs that know it, []."""
        values = self.values(name)
        known = values[values.isfinite()]
        return estimate(known) if len(known) else Estimate(NOTHING, NOTHING)

    def by_seed(self, name: str) -> dict[int | None, float]:
        """A number by seed; runs with the same seed are averaged."""
        found: dict[int | None, list[float]] = {}
        for run in self.runs:
            found.setdefault(run.seed, []).append(run.scalar(name))
        return {seed: sum(values) / len(values) for seed, values in found.items()}

    def curve(self, name: str) -> Estimate | None:
        """A curve over the runs that know it at the same steps, [T]."""
        curves = [curve for run in self.runs if (curve := run.curve(name)) is not None]
        whole = [curve for curve in curves if len(curve) == max(map(len, curves))]
        return estimate(torch.stack(whole)) if whole else None


def seed_name(run: RunRecord) -> str:
    """Of a run, as the filter names it."""
    return "unknown" if run.seed is None else str(run.seed)


def by_variant(runs: Sequence[RunRecord]) -> list[Variant]:
    """Put repetitions together; those of one core are neighbours."""
    kinds: dict[tuple[str, str | None], list[RunRecord]] = {}
    for run in runs:
        kinds.setdefault((run.model, run.memory), []).append(run)
    return list(_with_dashes(variant for kind in kinds.values() for variant in _of_kind(kind)))


def _of_kind(runs: Sequence[RunRecord]) -> Iterator[Variant]:
    settings = [{**run.of("model"), **run.of("data"), **_training(run)} for run in runs]
    for values, places in sorted(alike(settings).items(), key=lambda item: _natural(item[0])):
        yield Variant([runs[i] for i in places], values)


def _training(run: RunRecord) -> dict[str, Any]:
    return {key: value for key, value in run.settings.items() if key in TRAINING}


def _natural(values: Sequence[str]) -> list[str]:
    """Numbers by their size: slots=8 comes before slots=16."""
    return [re.sub(r"\d+", lambda digits: digits[0].zfill(12), value) for value in values]


def _with_dashes(variants: Iterable[Variant]) -> Iterator[Variant]:
    seen: list[str] = []
    for variant in variants:
        yield variant._replace(dash=DASHES[seen.count(variant.colour) % len(DASHES)])
        seen.append(variant.colour)


def by_stage(variant: Variant) -> Iterator[Variant]:
    """Its tested runs, then those that were only validated: their numbers do not mix."""
    for stage in (TEST, VALIDATION):
        runs = [run for run in variant.runs if (run.tested is None) == (stage == VALIDATION)]
        if runs:
            yield variant._replace(runs=runs, stage=stage)
