"""Results over memory size, for runs that differ in their number of slots."""

from collections.abc import Iterator, Sequence
from typing import Any

import plotly.graph_objects as go
import torch

from lightning_modules.records.benchmarks import BenchmarkRuns
from lightning_modules.records.groups import TEST, Group, dashes
from lightning_modules.records.ranking import ranked
from lightning_modules.records.scaling import scaling_families, slots_of, without_slots
from lightning_modules.report.chart import Chart, Style, axes_layout, line
from lightning_modules.report.colours import on_dark
from lightning_modules.report.marks import Marks
from lightning_modules.report.markup import Markup
from lightning_modules.report.section import Section, key_of, panel
from lightning_modules.report.thinning import plain

LEAD = (
    "Tested runs that differ only in the number of slots: mean over seeds, bar: its 95% "
    "interval (Student). Runs whose slots follow from the sequence length are left out."
)


def memory_scaling(benchmarks: Sequence[BenchmarkRuns]) -> Section:
    """Return the section, with a panel for each benchmark with such runs."""
    panels = [panel for benchmark in benchmarks for panel in _panels(benchmark)]
    return Section("scaling", "More memory", LEAD, panels)


def _panels(benchmark: BenchmarkRuns) -> Iterator[Markup]:
    ranking = ranked(benchmark)
    tested = [row.group for row in ranking.rows if row.group.stage == TEST]
    families = list(scaling_families(tested))
    if families:
        by = ranking.headline
        dashed = list(zip(families, dashes([f[0].colour for f in families]), strict=True))
        traces = [_line(f, by.name, dash) for f, dash in dashed]
        sizes = sorted({slots_of(member) or 0 for family in families for member in family})
        layout = axes_layout("slots of the memory", by.label, xaxis=_doubling(sizes))
        chart = Chart(traces, layout)
        drawn = chart.markup(f"{by.title} by slots, {benchmark.label}")
        keys = key_of([without_slots(f[0])._replace(dash=dash) for f, dash in dashed])
        yield panel(benchmark.label, by.title, keys, drawn, benchmark=benchmark.key)


def _doubling(sizes: Sequence[int]) -> dict[str, Any]:
    """Return a logarithmic axis with a tick at each size."""
    return {"type": "log", "tickmode": "array", "tickvals": list(sizes)}


def _line(family: Sequence[Group], scalar: str, dash: str) -> go.Scatter:
    estimates = [member.scalar(scalar) for member in family]
    group = without_slots(family[0])
    slots = torch.tensor([slots_of(member) for member in family])
    means = torch.stack([each.mean for each in estimates])
    seeds = list(dict.fromkeys(seed for member in family for seed in member.seeds))
    drawn = line(
        slots, means, Style(group.label, group.colour, dash), Marks(group.contestant, seeds)
    )
    drawn.error_y = {
        "array": plain(float(each.margin) for each in estimates),
        "color": group.colour,
    }
    drawn.meta["dark"]["error_y.color"] = on_dark(group.colour)
    return drawn
