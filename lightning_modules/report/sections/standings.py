"""Standings over all benchmarks: ranking, performance profile and pairwise comparisons."""

from collections.abc import Iterable, Iterator, Sequence
from html import escape

import plotly.graph_objects as go

from lightning_modules.records.benchmarks import BenchmarkRuns
from lightning_modules.records.scores import ScoredBenchmark
from lightning_modules.records.standings import (
    DIGITS,
    EXPLANATION,
    OF_IMPROVEMENT,
    OF_PROFILE,
    Standing,
    Standings,
    standings,
)
from lightning_modules.report.chart import Chart, axes_layout
from lightning_modules.report.colours import on_dark
from lightning_modules.report.marks import Marks
from lightning_modules.report.markup import Markup, tag
from lightning_modules.report.section import (
    Section,
    folded,
    name_cell,
    panel,
    sample_line,
    scrolling,
)
from lightning_modules.report.thinning import plain

#: The filter does not apply: over other benchmarks it would be another ranking.
REMARK = "All runs count here, whichever benchmarks and seeds are ticked."
LEAD = "Scores on all benchmarks: 0 is the model without a memory, 1 is a perfect one."


def overall(benchmarks: Sequence[BenchmarkRuns]) -> Section:
    """Return the section; empty if no two contestants share two benchmarks with scores."""
    found = standings(benchmarks)
    panels = [] if found is None else list(_panels(found))
    explanation = folded("How scores are made and ranked", tag("p", f"{EXPLANATION} {REMARK}"))
    return Section("overall", "Over all benchmarks", LEAD, panels, [explanation])


def _panels(found: Standings) -> Iterator[Markup]:
    remarks = tag("ul", *(tag("li", each) for each in found.remarks()), class_="remarks")
    yield panel("Ranking", "", scrolling(_ranking(found)), remarks)
    ranked = found.ranked
    layout = axes_layout("score (0: without a memory, 1: perfect)", "share of runs")
    layout.update(yaxis={"range": [0, 1.02]})
    chart = Chart([_profile(found, row) for row in ranked], layout)
    keys = tag("ul", *map(_key, ranked), class_="key")
    yield panel("Performance profile", OF_PROFILE, keys, chart.markup(OF_PROFILE))
    yield panel("Probability of improvement", OF_IMPROVEMENT, scrolling(_pairs(found)))


def _ranking(found: Standings) -> Markup:
    titles = ("contestant", "interquartile mean", "mean")
    head = [*(tag("th", title) for title in titles), *map(_heading, found.benchmarks)]
    return tag("table", _head(head), tag("tbody", *_ranking_rows(found)), class_="overview")


def _heading(benchmark: ScoredBenchmark) -> Markup:
    family = benchmark.groups[benchmark.memoryless].runs[0].family
    return tag("th", benchmark.heading, title=family.in_words(benchmark.measure.sentence))


def _ranking_rows(found: Standings) -> Iterator[Markup]:
    for row in found.rows:
        scores = (each.in_words(row.contestant, DIGITS) for each in found.benchmarks)
        cells = (_number(text) for text in (*found.means_in_words(row), *scores))
        yield _row(row, cells)


def _pairs(found: Standings) -> Markup:
    others = (tag("th", row.contestant, **_mark(row)) for row in found.rows)
    rows = (_row(row, _compared(found, row)) for row in found.rows)
    head = _head([tag("th", "better than"), *others])
    return tag("table", head, tag("tbody", *rows), class_="overview")


def _compared(found: Standings, row: Standing) -> Iterator[Markup]:
    for other in found.rows:
        text = found.improvement_in_words(row.contestant, other.contestant)
        yield _number(text, **_mark(other))


def _number(text: str, **attributes: str) -> Markup:
    """Return a cell with a number, and below it what follows: its interval, for example."""
    number, _, rest = text.partition(" ")
    return tag("td", number, *([tag("small", rest)] if rest else []), **attributes)


def _profile(found: Standings, row: Standing) -> go.Scatter:
    thresholds, shares = found.profile(row.contestant)
    dark = on_dark(row.group.colour)
    return go.Scatter(
        # From just below 0 or the lowest score, to a perfect score.
        x=plain([min(0.0, thresholds[0]) - 0.03, *thresholds, 1.0]),
        y=plain([1.0, *shares, 0.0]),
        name=escape(row.contestant, quote=False),
        mode="lines",
        line={"color": row.group.colour, "dash": row.dash, "width": 2, "shape": "hv"},
        meta={**dict(Marks(row.group.contestant).meta()), "dark": {"line.color": dark}},
    )


def _head(cells: Sequence[Markup]) -> Markup:
    return tag("thead", tag("tr", *cells))


def _row(row: Standing, cells: Iterable[Markup]) -> Markup:
    sample = sample_line(row.group.colour, row.dash)
    return tag("tr", name_cell(sample, row.contestant), *cells, **_mark(row))


def _key(row: Standing) -> Markup:
    return tag("li", sample_line(row.group.colour, row.dash), row.contestant, **_mark(row))


def _mark(row: Standing) -> dict[str, str]:
    return Marks(core=row.group.contestant).attributes()
