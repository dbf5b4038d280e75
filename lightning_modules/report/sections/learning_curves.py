"""What validations found in the course of training, by steps or by seconds."""

from collections.abc import Iterator, Sequence

import torch
from plotly.basedatatypes import BaseTraceType
from torch import Tensor

from lightning_modules.records.benchmarks import BenchmarkRuns
from lightning_modules.records.groups import Variant, by_variant, seed_name
from lightning_modules.records.metrics_file import History
from lightning_modules.records.model_runs import Estimate, estimate
from lightning_modules.records.run import RunRecord
from lightning_modules.report.chart import (
    Chart,
    Style,
    axes_layout,
    band,
    capitalised,
    line,
    unit_of,
)
from lightning_modules.report.marks import Marks
from lightning_modules.report.markup import Markup, tag
from lightning_modules.report.section import Section, key_of, panel
from lightning_modules.report.thinning import kept, plain

LEAD = (
    "Mean over seeds at the validations that all of them have had; band: one standard error to "
    "both sides. Seconds are those of training on the wall clock, with validations."
)
STEPS, SECONDS = "training steps", "training time (seconds)"


def learning_curves(benchmarks: Sequence[BenchmarkRuns]) -> Section:
    """A panel for each benchmark, and the switch of all."""
    panels = [panel for benchmark in benchmarks for panel in _panels(benchmark)]
    return Section("learning", "Learning", LEAD, [_switch(), *panels] if panels else [])


def _switch() -> Markup:
    choices = [
        tag("label", tag("input", type="radio", name="against", value=value, checked=on), title)
        for value, title, on in (("steps", "steps", True), ("seconds", "seconds", False))
    ]
    return tag("fieldset", tag("legend", "Against"), *choices, id="against")


def _panels(benchmark: BenchmarkRuns) -> Iterator[Markup]:
    variants = [v for v in by_variant(benchmark.runs) if any(run.history for run in v.runs)]
    traces = [trace for variant in variants for trace in _lines(variant)]
    if traces:
        label = benchmark.runs[0].reading.validated_label
        chart = Chart(traces, axes_layout(STEPS, unit_of(label)), {"titles": {"seconds": SECONDS}})
        drawn = chart.markup(f"{label} in training, {benchmark.label}")
        yield panel(
            benchmark.label, capitalised(label), key_of(variants), drawn, benchmark=benchmark.key
        )


def _lines(variant: Variant) -> Iterator[BaseTraceType]:
    """The mean with its band, and the runs that stand in for it."""
    runs = [run for run in variant.runs if run.history is not None]
    common = _common(runs)
    averaged = len(runs) > 1 and len(common) > 0
    if averaged:
        yield from _mean(variant, runs, common[kept(len(common))])
    seeds = list(dict.fromkeys(map(seed_name, runs)))
    for run in runs:
        yield _line_of_run(variant, run, seeds if averaged else [])


def _common(runs: Sequence[RunRecord]) -> Tensor:
    """Steps at which all were validated."""
    steps = [set(run.history.steps.tolist()) for run in runs if run.history is not None]
    return torch.tensor(sorted(set.intersection(*steps)) if steps else [], dtype=torch.float64)


def _mean(variant: Variant, runs: Sequence[RunRecord], steps: Tensor) -> Iterator[BaseTraceType]:
    histories = [run.history for run in runs if run.history is not None]
    places = [torch.isin(history.steps, steps) for history in histories]
    name = runs[0].reading.validated
    values = [_values(h, name)[place] for h, place in zip(histories, places, strict=True)]
    seconds = [h.seconds[place] for h, place in zip(histories, places, strict=True)]
    found = estimate(torch.stack(values))
    style = Style(variant.label, variant.colour, variant.dash)
    marks = Marks(variant.core, list(dict.fromkeys(map(seed_name, runs))))
    clock = torch.stack(seconds).mean(0)
    yield band(steps, found, style, marks, seconds=_there_and_back(clock, found))
    yield line(steps, found.mean, style, marks, seconds=plain(clock))


def _there_and_back(clock: Tensor, found: Estimate) -> list[float | int | None]:
    known = clock[(found.mean + found.error).isfinite()]
    return plain(torch.cat([known, known.flip(0)]))


def _line_of_run(variant: Variant, run: RunRecord, within: list[str]) -> BaseTraceType:
    history, seed = run.history, seed_name(run)
    assert history is not None
    places = kept(len(history.steps))
    style = Style(f"{variant.label}, seed {seed}", variant.colour, variant.dash, 1.2)
    values = _values(history, run.reading.validated)[places]
    marks = Marks(variant.core, [seed], within)
    clock = plain(history.seconds[places])
    return line(history.steps[places], values, style, marks, seconds=clock)


def _values(history: History, name: str) -> Tensor:
    unknown = torch.full_like(history.steps, torch.nan)
    return history.values.get(name, unknown)
