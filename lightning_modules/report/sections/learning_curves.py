"""Validations during training, over steps or seconds."""

from collections.abc import Iterator, Sequence

import torch
from plotly.basedatatypes import BaseTraceType
from torch import Tensor

from lightning_modules.records.groups import Estimate, Group, by_group
from lightning_modules.records.learning import Learning, learning, validated
from lightning_modules.records.ranking import Ranking
from lightning_modules.records.run import Run
from lightning_modules.report.chart import (
    Chart,
    Style,
    axes_layout,
    band,
    capitalised,
    line,
    thinned,
)
from lightning_modules.report.marks import Marks
from lightning_modules.report.markup import Markup, tag
from lightning_modules.report.section import Section, key_of, panel
from lightning_modules.report.thinning import plain

LEAD = (
    "Mean over seeds at the validations that all of them share; band: 95% interval (Student). "
    "Seconds are wall-clock seconds of training, validations included."
)
STEPS, SECONDS = "training steps", "training time (seconds)"


def learning_curves(rankings: Sequence[Ranking]) -> Section:
    """Return the section, with one switch for all panels.

    Each benchmark has a panel for the measure of its ranking and one for the criterion by which a
    run's best state is selected, if they differ and were validated.
    """
    panels = [panel for ranking in rankings for panel in _panels(ranking)]
    return Section("learning", "Learning", LEAD, [_switch(), *panels] if panels else [])


def _switch() -> Markup:
    choices = [
        tag("label", tag("input", type="radio", name="against", value=value, checked=on), title)
        for value, title, on in (("steps", "steps", True), ("seconds", "seconds", False))
    ]
    return tag("fieldset", tag("legend", "Against"), *choices, id="against")


def _panels(ranking: Ranking) -> Iterator[Markup]:
    benchmark = ranking.benchmark
    every = by_group(benchmark.runs)
    for measure in dict.fromkeys([ranking.headline, benchmark.family.best_by]):
        groups = [g for g in every if any(_has(run, measure.name) for run in g.runs)]
        traces = [trace for group in groups for trace in _lines(group, measure.name)]
        if not traces:
            continue
        label = f"validation's {measure.label}"
        chart = Chart(
            traces,
            axes_layout(STEPS, measure.shown_unit or measure.header),
            {"titles": {"seconds": SECONDS}},
        )
        drawn = chart.markup(f"{label} in training, {benchmark.label}")
        yield panel(
            benchmark.label, capitalised(label), key_of(groups), drawn, benchmark=benchmark.key
        )


def _has(run: Run, name: str) -> bool:
    """Return whether the measure was validated, and finite at least once."""
    return run.history is not None and bool(validated(run.history, name).isfinite().any())


def _lines(group: Group, name: str) -> Iterator[BaseTraceType]:
    """Yield the mean with its band, and the runs that can replace it."""
    group = group._replace(runs=[run for run in group.runs if _has(run, name)])
    mean = learning(group, name) if len(group.runs) > 1 else None
    if mean is not None:
        yield from _mean(group, mean)
    for run in group.runs:
        yield _line_of_run(group, run, name, group.seeds if mean is not None else [])


def _mean(group: Group, learned: Learning) -> Iterator[BaseTraceType]:
    steps, clock, *values = thinned(learned.steps, learned.seconds, *learned.values)
    mean = Estimate(*values)
    style = Style(group.label, group.colour, group.dash)
    marks = Marks(group.contestant, group.seeds)
    yield band(steps, mean, style, marks, seconds=_there_and_back(clock, mean))
    yield line(steps, mean.mean, style, marks, seconds=plain(clock))


def _there_and_back(clock: Tensor, estimate: Estimate) -> list[float | int | None]:
    seconds = clock[(estimate.mean + estimate.margin).isfinite()]
    return plain(torch.cat([seconds, seconds.flip(0)]))


def _line_of_run(group: Group, run: Run, name: str, within: list[str]) -> BaseTraceType:
    assert run.history is not None
    steps, clock, values = thinned(
        run.history.steps, run.history.seconds, validated(run.history, name)
    )
    style = Style(f"{group.label}, seed {run.seed_name}", group.colour, group.dash, 1.2)
    marks = Marks(group.contestant, [run.seed_name], within)
    return line(steps, values, style, marks, seconds=plain(clock))
