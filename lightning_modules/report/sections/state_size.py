"""Results over state size, the numbers that a model carries from step to step."""

from collections.abc import Iterator, Sequence
from html import escape
from typing import Any, NamedTuple

import plotly.graph_objects as go

from lightning_modules.records.groups import DASHES, TEST, Group
from lightning_modules.records.ranking import Ranking
from lightning_modules.records.sizes import state_of
from lightning_modules.report.chart import Chart, axes_layout, log_axis
from lightning_modules.report.colours import on_dark
from lightning_modules.report.marks import Marks
from lightning_modules.report.markup import Markup
from lightning_modules.report.section import Section, key_of, panel, sample_symbol
from lightning_modules.report.thinning import plain

LEAD = (
    "Tested runs: mean over seeds, bar: its 95% interval (Student), by the numbers carried from "
    "one step to the next. The current step's items do not count. Models whose state grows with "
    "every item are left out, as are runs without a recorded state size."
)
#: Plotly symbols of the first, second, ... group of one colour.
SYMBOLS = dict(zip(DASHES, ("circle", "square", "diamond", "cross"), strict=True))


class Sized(NamedTuple):
    """A group and its state size."""

    group: Group
    state: int


def state_size(rankings: Sequence[Ranking]) -> Section:
    """Return the section, with a panel for each benchmark with different state sizes."""
    panels = [panel for ranking in rankings for panel in _panels(ranking)]
    return Section("state", "Quality by state size", LEAD, panels)


def _panels(ranking: Ranking) -> Iterator[Markup]:
    benchmark = ranking.benchmark
    tested = (row.group for row in ranking.rows if row.group.stage == TEST)
    sized = [Sized(group, size) for group in tested if (size := state_of(group.runs))]
    if len({each.state for each in sized}) < 2:
        return
    by = ranking.headline
    traces = [_point(each, by.name) for each in sized]
    along = log_axis([each.state for each in sized])
    layout = axes_layout("numbers carried from step to step", by.label, xaxis=along)
    chart = Chart(traces, layout).markup(f"{by.title} by state size, {benchmark.label}")
    keys = key_of([each.group for each in sized], sample=_sample)
    yield panel(benchmark.label, by.title, keys, chart, benchmark=benchmark.key)


def _sample(group: Group) -> Markup:
    return sample_symbol(group.colour, SYMBOLS[group.dash])


def _point(sized: Sized, scalar: str) -> go.Scatter:
    group, value = sized.group, sized.group.scalar(scalar)
    dark = on_dark(group.colour)
    meta: dict[str, Any] = {
        **dict(Marks(group.contestant, group.seeds).meta()),
        "dark": {"marker.color": dark, "error_y.color": dark},
    }
    return go.Scatter(
        x=[sized.state],
        y=plain([float(value.mean)]),
        error_y={"array": plain([float(value.margin)]), "color": group.colour},
        name=escape(group.label, quote=False),
        mode="markers",
        marker={"size": 9, "color": group.colour, "symbol": SYMBOLS[group.dash]},
        meta=meta,
    )
