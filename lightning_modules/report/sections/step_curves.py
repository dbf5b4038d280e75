"""Curves that a family declares, over the steps of the sequence."""

from collections.abc import Iterator, Sequence
from typing import Any

import plotly.graph_objects as go
import torch
from plotly.basedatatypes import BaseTraceType
from torch import Tensor

from lightning_modules.declarations import StepCurve
from lightning_modules.pictures.style import INK
from lightning_modules.records.benchmarks import BenchmarkRuns
from lightning_modules.records.groups import TEST, Estimate, Group, by_group, by_stage
from lightning_modules.records.run import Run
from lightning_modules.report.chart import (
    Chart,
    Style,
    axes_layout,
    band,
    capitalised,
    line,
    thinned,
    unit_of,
)
from lightning_modules.report.marks import Marks
from lightning_modules.report.markup import Markup, tag
from lightning_modules.report.section import Section, key_of, panel, sample_line
from lightning_modules.report.thinning import plain

LEAD = "Mean over seeds; band: its 95% interval (Student)."


def step_curves(benchmarks: Sequence[BenchmarkRuns]) -> Section:
    """Return the section, with a panel for each benchmark and quantity."""
    panels = [each for benchmark in benchmarks for each in _panels(benchmark)]
    return Section("steps", "Step by step", LEAD, panels)


def _panels(benchmark: BenchmarkRuns) -> Iterator[Markup]:
    for curve in benchmark.family.curves:
        groups = _shown(benchmark, curve.name)
        if groups:
            yield _panel(benchmark, groups, curve)


def _shown(benchmark: BenchmarkRuns, name: str) -> list[Group]:
    """Return the groups with this curve, at validation only if nothing was tested."""
    stages = (stage for v in by_group(benchmark.runs) for stage in list(by_stage(v))[:1])
    return [group for group in stages if group.curve(name) is not None]


def _panel(benchmark: BenchmarkRuns, groups: list[Group], curve: StepCurve) -> Markup:
    traces = [trace for group in groups for trace in _lines(group, curve.name)]
    behind, names = _context(benchmark, curve.name)
    layout = axes_layout("step t", unit_of(curve.label), **_axes(benchmark, curve))
    chart = Chart([*behind, *traces], layout).markup(f"{curve.label}, {benchmark.label}")
    only_tests = all(group.stage == TEST for group in groups)
    stage = "tests" if only_tests else "tests; dotted: last validations"
    subtitle = f"{capitalised(curve.label)}, in {stage}"
    keys = key_of(groups, *names)
    return panel(benchmark.label, subtitle, keys, chart, benchmark=benchmark.key)


def _context(
    benchmark: BenchmarkRuns, name: str
) -> tuple[list[BaseTraceType], list[tuple[Markup, str]]]:
    """Return what all runs share, the context and the optimum, and its legend entries."""
    family = benchmark.family
    traces, names = [], []
    share, optimum = _share(benchmark), _optimum(benchmark, name)
    if share is not None:
        traces.append(_bars_of_share(share, family.share_label))
        shade = tag("span", class_="shade")
        names.append((shade, f"{family.share_label} (share of sequences)"))
    if optimum is not None:
        traces.append(_line_of_optimum(optimum, family.optimum_label))
        names.append((sample_line(INK, "dash"), family.optimum_label))
    return traces, names


def _lines(group: Group, name: str) -> Iterator[BaseTraceType]:
    """Yield the mean with its band, and the runs that can replace it."""
    mean = group.curve(name)
    assert mean is not None
    style = Style(_name(group), group.colour, _dash(group))
    marks = Marks(group.contestant, group.seeds)
    x, *estimate = thinned(torch.arange(1, len(mean.mean) + 1), *mean)
    if mean.margin.isfinite().any():
        yield band(x, Estimate(*estimate), style, marks)
    yield line(x, estimate[0], style, marks)
    for run in group.runs if len(group.runs) > 1 else ():
        yield from _line_of_run(group, run, name)


def _line_of_run(group: Group, run: Run, name: str) -> Iterator[BaseTraceType]:
    curve = run.curve(name)
    if curve is not None:
        seed = run.seed_name
        style = Style(f"{_name(group)}, seed {seed}", group.colour, _dash(group), 1.2)
        x, y = thinned(torch.arange(1, len(curve) + 1), curve)
        yield line(x, y, style, Marks(group.contestant, [seed], group.seeds))


def _name(group: Group) -> str:
    return group.label if group.stage == TEST else f"{group.label}, validation"


def _dash(group: Group) -> str:
    return group.dash if group.stage == TEST else "dot"


def _optimum(benchmark: BenchmarkRuns, name: str) -> Tensor | None:
    """Return the optimal values, which are known only for the family's first curve."""
    family = benchmark.family
    if name != family.curves[0].name:
        return None
    return next(_tested_curves(benchmark, family.optimum), None)


def _share(benchmark: BenchmarkRuns) -> Tensor | None:
    shares = _tested_curves(benchmark, benchmark.family.share)
    return next((share for share in shares if share.any()), None)


def _tested_curves(benchmark: BenchmarkRuns, name: str) -> Iterator[Tensor]:
    tested = (run.tested for run in benchmark.runs if run.tested is not None)
    return (test.curves[name] for test in tested if name in test.curves)


def _line_of_optimum(optimum: Tensor, name: str) -> go.Scatter:
    x, y = thinned(torch.arange(1, len(optimum) + 1), optimum)
    return line(x, y, Style(name, INK, "dash", 1.6), Marks())


def _bars_of_share(share: Tensor, name: str) -> go.Bar:
    x, y = thinned(torch.arange(1, len(share) + 1), share)
    return go.Bar(
        x=plain(x),
        y=plain(y),
        name=name,
        yaxis="y2",
        width=1,
        marker={"color": "rgba(128,128,128,0.18)", "line": {"width": 0}},
        hoverinfo="skip",
        meta={"backdrop": True},
    )


def _axes(benchmark: BenchmarkRuns, curve: StepCurve) -> dict[str, Any]:
    """Return the axes of the curves and, hidden behind them, of the shares."""
    curves = [values for run in benchmark.runs if (values := run.curve(curve.name)) is not None]
    steps = max(map(len, curves))
    rangemode = "tozero" if curve.from_zero else None
    own = {"overlaying": "y2", "tickmode": "auto", "rangemode": rangemode}
    second = {"range": [0, 1], "visible": False, "fixedrange": True}
    return {"xaxis_range": [0.5, steps + 0.5], "yaxis": own, "yaxis2": second, "bargap": 0}
