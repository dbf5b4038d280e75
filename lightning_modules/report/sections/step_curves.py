"""A quantity of each step of the sequence: the NLL of neural processes, and the KL of all."""

from collections.abc import Iterator, Sequence
from typing import Any

import plotly.graph_objects as go
import torch
from plotly.basedatatypes import BaseTraceType
from torch import Tensor

from lightning_modules.pictures.style import INK
from lightning_modules.records.benchmarks import BenchmarkRuns
from lightning_modules.records.groups import TEST, Variant, by_stage, by_variant, seed_name
from lightning_modules.records.model_runs import Estimate
from lightning_modules.records.run import RunRecord
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

LEAD = "Mean over seeds; band: one standard error to both sides."
KL = "KL of posterior from prior (nats per step)"


def step_curves(benchmarks: Sequence[BenchmarkRuns]) -> Section:
    """A panel for each benchmark and quantity."""
    panels = [each for benchmark in benchmarks for each in _panels(benchmark)]
    return Section("steps", "Step by step", LEAD, panels)


def _panels(benchmark: BenchmarkRuns) -> Iterator[Markup]:
    reading = benchmark.runs[0].reading
    for name, label in {reading.curve: reading.label, "kl": KL}.items():
        variants = _shown(benchmark, name)
        if variants:
            yield _panel(benchmark, variants, name, label)


def _shown(benchmark: BenchmarkRuns, name: str) -> list[Variant]:
    """Those that know the curve; of validations only where nothing was tested."""
    found = (stage for v in by_variant(benchmark.runs) for stage in list(by_stage(v))[:1])
    return [variant for variant in found if variant.curve(name) is not None]


def _panel(benchmark: BenchmarkRuns, variants: list[Variant], name: str, label: str) -> Markup:
    traces = [trace for variant in variants for trace in _lines(variant, name)]
    behind, names = _context(benchmark, name)
    layout = axes_layout("step t", unit_of(label), **_axes(benchmark, name))
    chart = Chart([*behind, *traces], layout).markup(f"{label}, {benchmark.label}")
    only_tests = all(variant.stage == TEST for variant in variants)
    found = "tests" if only_tests else "tests; dotted: last validations"
    subtitle = f"{capitalised(label)}, in {found}"
    keys = key_of(variants, *names)
    return panel(benchmark.label, subtitle, keys, chart, benchmark=benchmark.key)


def _context(
    benchmark: BenchmarkRuns, name: str
) -> tuple[list[BaseTraceType], list[tuple[Markup, str]]]:
    """What all runs have in common, and what stands for it in the key."""
    reading = benchmark.runs[0].reading
    traces, names = [], []
    share, optimum = _share(benchmark), _optimum(benchmark, name)
    if share is not None:
        traces.append(_bars_of_share(share, reading.share_name))
        shade = tag("span", class_="shade")
        names.append((shade, f"{reading.share_name} (share of sequences)"))
    if optimum is not None:
        traces.append(_line_of_optimum(optimum, reading.optimum_name))
        names.append((sample_line(INK, "dash"), reading.optimum_name))
    return traces, names


def _lines(variant: Variant, name: str) -> Iterator[BaseTraceType]:
    """The mean with its band, and the runs that stand in for it."""
    mean = variant.curve(name)
    assert mean is not None
    style = Style(_name(variant), variant.colour, _dash(variant))
    marks = Marks(variant.core, variant.seeds)
    x, *estimate = thinned(torch.arange(1, len(mean.mean) + 1), *mean)
    if mean.error.isfinite().any():
        yield band(x, Estimate(*estimate), style, marks)
    yield line(x, estimate[0], style, marks)
    for run in variant.runs if len(variant.runs) > 1 else ():
        yield from _line_of_run(variant, run, name)


def _line_of_run(variant: Variant, run: RunRecord, name: str) -> Iterator[BaseTraceType]:
    curve = run.curve(name)
    if curve is not None:
        seed = seed_name(run)
        style = Style(f"{_name(variant)}, seed {seed}", variant.colour, _dash(variant), 1.2)
        x, y = thinned(torch.arange(1, len(curve) + 1), curve)
        yield line(x, y, style, Marks(variant.core, [seed], variant.seeds))


def _name(variant: Variant) -> str:
    return variant.label if variant.stage == TEST else f"{variant.label}, validation"


def _dash(variant: Variant) -> str:
    return variant.dash if variant.stage == TEST else "dot"


def _optimum(benchmark: BenchmarkRuns, name: str) -> Tensor | None:
    """The least that is possible, of the reading's own curve."""
    tested = (run.tested for run in benchmark.runs if run.tested is not None)
    known = name == benchmark.runs[0].reading.curve
    return next((test.optimum for test in tested if known and test.optimum is not None), None)


def _share(benchmark: BenchmarkRuns) -> Tensor | None:
    tested = (run.tested for run in benchmark.runs if run.tested is not None)
    return next(
        (test.share for test in tested if test.share is not None and test.share.any()), None
    )


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


def _axes(benchmark: BenchmarkRuns, name: str) -> dict[str, Any]:
    """Of the curves, from zero for a KL, and behind it one of shares from 0 to 1, without marks."""
    curves = [curve for run in benchmark.runs if (curve := run.curve(name)) is not None]
    steps = max(map(len, curves))
    own = {"overlaying": "y2", "tickmode": "auto", "rangemode": "tozero" * (name == "kl") or None}
    second = {"range": [0, 1], "visible": False, "fixedrange": True}
    return {"xaxis_range": [0.5, steps + 0.5], "yaxis": own, "yaxis2": second, "bargap": 0}
