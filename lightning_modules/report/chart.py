"""Charts: Plotly traces and layouts, drawn by the page when they come into view."""

from collections.abc import Sequence
from html import escape
from math import floor, log10
from typing import Any, NamedTuple

import plotly.graph_objects as go
import torch
from plotly.basedatatypes import BaseTraceType
from torch import Tensor

from lightning_modules.records.groups import Estimate
from lightning_modules.report.colours import on_dark, translucent
from lightning_modules.report.marks import Marks
from lightning_modules.report.markup import Markup, data, join, tag
from lightning_modules.report.thinning import kept, plain

HEIGHT = 340
#: Longest line with a marker at each point.
FEW_POINTS = 30
#: Most tick labels on a logarithmic axis that fit on a phone.
MOST_TICKS = 6
#: Sets of round numbers from 1 to 10, the densest first.
ROUND: Sequence[Sequence[float]] = (
    [digits / 100 for digits in range(100, 1000)],
    [digits / 10 for digits in range(10, 100)],
    range(1, 10),
    (1, 2, 5),
    (1, 3),
    (1,),
)


class Chart(NamedTuple):
    """Traces of one chart, and their layout."""

    traces: Sequence[BaseTraceType]
    layout: go.Layout
    extras: dict[str, Any] = {}  #: read by static/page.js

    def markup(self, label: str) -> Markup:
        """Return a placeholder of the chart's height, followed by its data.

        Args:
            label: description for screen readers.
        """
        style = f"height:{self.layout.height}px"
        place = tag("div", class_="plot", role="img", aria_label=label, style=style)
        return join([place, data(self.content())])

    def content(self) -> dict[str, Any]:
        """Return the chart as plain values for JSON."""
        traces = [trace.to_plotly_json() for trace in self.traces]
        return {"traces": traces, "layout": self.layout.to_plotly_json(), **self.extras}


def axes_layout(x: str, y: str, height: int = HEIGHT, **settings: Any) -> go.Layout:
    """Return the layout of a pair of axes with these titles."""
    layout = go.Layout(
        height=height,
        margin={"l": 58, "r": 10, "t": 10, "b": 46},
        showlegend=False,
        hovermode="closest",
        xaxis={"title": {"text": x}, "zeroline": False},
        yaxis={"title": {"text": y}, "zeroline": False},
        **PAPER,
    )
    return layout.update(settings)


def log_axis(values: Sequence[float]) -> dict[str, Any]:
    """Return a logarithmic axis with round numbers written in full.

    Plotly's default labels between powers of ten are bare digits, such as 5 for 5,000.

    Args:
        values: data along the axis, above 0.
    """
    low, high = log10(min(values)), log10(max(values))
    room = 0.06 * (high - low) or 0.1
    low, high = low - room, high + room
    ticks = _round_numbers(low, high)
    return {
        "type": "log",
        "range": [low, high],
        "tickmode": "array",
        "tickvals": ticks,
        "ticktext": [f"{tick:,.10g}" for tick in ticks],
    }


def _round_numbers(low: float, high: float) -> list[float]:
    """Return round numbers between two powers of ten (exponents), at most ``MOST_TICKS``."""
    ticks: list[float] = []
    for steps in ROUND:
        decades = range(floor(low), floor(high) + 1)
        ticks = [step * 10.0**decade for decade in decades for step in steps]
        ticks = [tick for tick in ticks if low <= log10(tick) <= high]
        if len(ticks) <= MOST_TICKS:
            break
    return ticks


#: The page's own background shows through.
PAPER: dict[str, Any] = {
    "paper_bgcolor": "rgba(0,0,0,0)",
    "plot_bgcolor": "rgba(0,0,0,0)",
    "font": {"size": 12},
}


def unit_of(label: str) -> str:
    """Return the unit in brackets at the end of a label."""
    return label.rpartition("(")[2].rstrip(")")


def capitalised(label: str) -> str:
    """Capitalise the first letter of a label, and leave the rest."""
    return label[:1].upper() + label[1:]


class Style(NamedTuple):
    """Name and style of a line."""

    name: str
    colour: str
    dash: str = "solid"
    width: float = 2


def line(x: Tensor, y: Tensor, style: Style, marks: Marks, **meta: Any) -> go.Scatter:
    """Return a line through the points; ``meta`` is read by static/page.js."""
    few = len(x) <= FEW_POINTS
    return go.Scatter(
        x=plain(x),
        y=plain(y),
        name=escape(style.name, quote=False),
        mode="lines+markers" if few else "lines",
        marker={"size": 5, "color": style.colour},
        line={"color": style.colour, "dash": style.dash, "width": style.width},
        meta={
            **dict(marks.meta()),
            **meta,
            "dark": {"line.color": on_dark(style.colour), "marker.color": on_dark(style.colour)},
        },
    )


def band(x: Tensor, estimate: Estimate, style: Style, marks: Marks, **meta: Any) -> go.Scatter:
    """Return the 95% interval as a band, outlined along x and back."""
    finite = (estimate.mean + estimate.margin).isfinite()
    places, mean, margin = x[finite], estimate.mean[finite], estimate.margin[finite]
    return go.Scatter(
        x=plain(torch.cat([places, places.flip(0)])),
        y=plain(torch.cat([mean + margin, (mean - margin).flip(0)])),
        fill="toself",
        fillcolor=translucent(style.colour),
        line={"width": 0},
        mode="lines",
        hoverinfo="skip",
        meta={
            **dict(marks.meta()),
            **meta,
            "dark": {"fillcolor": translucent(on_dark(style.colour))},
        },
    )


def thinned(x: Tensor, *curves: Tensor) -> tuple[Tensor, ...]:
    """Thin out curves, keeping the same points of each."""
    places = kept(len(x))
    return tuple(curve[places] for curve in (x, *curves))
