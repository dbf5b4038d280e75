"""Probes: recall with a changed memory, and on sequences longer than in training."""

from collections.abc import Iterator, Sequence
from math import isfinite
from typing import Any, NamedTuple

import plotly.graph_objects as go
import torch

from lightning_modules.records.benchmarks import BenchmarkRuns
from lightning_modules.records.groups import Group
from lightning_modules.records.probe_file import Probe, load_probe
from lightning_modules.records.problems import Problem, Unreadable
from lightning_modules.records.run import Run
from lightning_modules.records.run_folder import RunFolder
from lightning_modules.report.chart import Chart, Style, axes_layout, line
from lightning_modules.report.marks import Marks
from lightning_modules.report.markup import Markup, tag
from lightning_modules.report.section import Section, key_of, name_cell, panel, scrolling, swatch
from lightning_modules.report.sections.gallery import first_seeds_first

LEAD = (
    "Results of `probe`, run by run: recall with the stored content untouched, zeroed, shuffled "
    "(each slot gets the row of another; stored sets get another temporal order) and transplanted "
    "from another sequence, the donor. Then the shares of frames of its own class and of the "
    "donor's that the model generates after the transplant. Below: the same parameters on longer "
    "sequences, by length and by load, the items stored per thousand numbers carried from step to "
    "step."
)
TRANSPLANTED = "transplanted"
AXES = "length (times that of training)", "load (items stored per 1,000 numbers of state)"


class Probed(NamedTuple):
    """A run and its probe."""

    group: Group
    run: Run
    probe: Probe


def probes(benchmarks: Sequence[BenchmarkRuns], problems: list[Problem]) -> Section:
    """Return the section, with a panel for each benchmark with probed runs.

    Args:
        benchmarks: all runs.
        problems: list to which unreadable files are appended.
    """
    panels = [panel for benchmark in benchmarks for panel in _panels(benchmark, problems)]
    return Section("probes", "Probes", LEAD, panels)


def _panels(benchmark: BenchmarkRuns, problems: list[Problem]) -> Iterator[Markup]:
    probed = list(_probed(benchmark, problems))
    if not probed:
        return
    label, key = probed[0].probe.label, key_of([each.group for each in probed])
    lines = [each for each in probed if len(each.probe.lengthened) > 1]
    charts = []
    for by_load, title in enumerate(AXES):
        traces = [trace for each in lines if (trace := _line(each, bool(by_load))).x]
        if traces:
            axis: dict[str, Any] = {"type": "log"}
            if not by_load:
                axis |= {"tickmode": "array", "tickvals": sorted({x for t in traces for x in t.x})}
            layout = axes_layout(title, label, xaxis=axis)
            charts.append(Chart(traces, layout).markup(f"{label} by {title}, {benchmark.label}"))
    content = [scrolling(_table(probed)), *([key, *charts] if charts else [])]
    yield panel(benchmark.label, probed[0].probe.sentence, *content, benchmark=benchmark.key)


def _probed(benchmark: BenchmarkRuns, problems: list[Problem]) -> Iterator[Probed]:
    for group, run in first_seeds_first(benchmark):
        path = RunFolder(run.folder).probe
        if not path.is_file():
            continue
        try:
            yield Probed(group, run, load_probe(path))
        except Unreadable as reason:
            problems.append(Problem(path, str(reason)))


def _table(probed: Sequence[Probed]) -> Markup:
    changes = list(dict.fromkeys(row.change for each in probed for row in each.probe.changed))
    titles = ["model", "seed", *changes, "own class", "donor's class", "sequences", "left out"]
    head = tag("thead", tag("tr", *(tag("th", title) for title in titles)))
    rows = tag("tbody", *(_row(each, changes) for each in probed))
    return tag("table", head, rows, class_="details")


def _row(each: Probed, changes: Sequence[str]) -> Markup:
    by_change = {row.change: row for row in each.probe.changed}
    other = by_change.get(TRANSPLANTED)
    values = [row.value if (row := by_change.get(change)) else None for change in changes]
    shares = [other.own, other.donor] if other else [None, None]
    numbers = [_number(value) for value in (*values, *shares)]
    texts = [each.run.seed_name, *numbers, f"{each.probe.sequences:,}", "; ".join(each.probe.notes)]
    name = name_cell(swatch(each.group), each.group.label)
    marks = Marks(each.run.contestant, [each.run.seed_name])
    return tag("tr", name, *(tag("td", text) for text in texts), **marks.attributes())


def _number(value: float | None) -> str:
    return "-" if value is None or not isfinite(value) else f"{value:.3f}"


def _line(each: Probed, by_load: bool) -> go.Scatter:
    rows = each.probe.lengthened
    places = torch.tensor([row.load if by_load else float(row.times) for row in rows])
    values = torch.tensor([row.value for row in rows])
    style = Style(each.group.label, each.group.colour, each.group.dash)
    finite = places.isfinite()
    return line(
        places[finite], values[finite], style, Marks(each.run.contestant, [each.run.seed_name])
    )
