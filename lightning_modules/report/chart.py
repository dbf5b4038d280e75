"""Charts: Plotly's traces and layout, which the page draws when they come into view."""

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
#: Most points of a line with a marker at each.
FEW_POINTS = 30
#: Most numbers on a logarithmic axis, which have room on a phone.
MOST_TICKS = 6
#: Numbers from 1 to 10 that count as round, the most of them first.
ROUND: Sequence[Sequence[float]] = (
    [digits / 100 for digits in range(100, 1000)],
    [digits / 10 for digits in range(10, 100)],
    range(1, 10),
    (1, 2, 5),
    (1, 3),
    (1,),
)


class Chart(NamedTuple):
    """Traces that are drawn together, and their layout."""

    traces: Sequence[BaseTraceType]
    layout: go.Layout
    extras: dict[str, Any] = {}  #: for the page's own script

    def markup(self, label: str) -> Markup:
        """Make an empty place of the right height, and the data that will be drawn there.

        Args:
            label: what the chart shows, for readers who do not see it.
        """
        style = f"height:{self.layout.height}px"
        place = tag("div", class_="plot", role="img", aria_label=label, style=style)
        return join([place, data(self.content())])

    def content(self) -> dict[str, Any]:
        """Return the chart as plain values, for JSON."""
        traces = [trace.to_plotly_json() for trace in self.traces]
        return {"traces": traces, "layout": self.layout.to_plotly_json(), **self.extras}


def axes_layout(x: str, y: str, height: int = HEIGHT, **settings: Any) -> go.Layout:
    """Lay out a pair of axes with these titles."""
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
    """Lay out a logarithmic axis, with round numbers written in full.

    Plotly itself writes bare digits between powers of ten, such as 5 for 5,000.

    Args:
        values: what is drawn along the axis, above 0.
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
    """Choose as many as have room between two powers of ten, given by their exponents."""
    found: list[float] = []
    for steps in ROUND:
        decades = range(floor(low), floor(high) + 1)
        found = [step * 10.0**decade for decade in decades for step in steps]
        found = [each for each in found if low <= log10(each) <= high]
        if len(found) <= MOST_TICKS:
            break
    return found


#: The page's own background shows through.
PAPER: dict[str, Any] = {
    "paper_bgcolor": "rgba(0,0,0,0)",
    "plot_bgcolor": "rgba(0,0,0,0)",
    "font": {"size": 12},
}


def unit_of(label: str) -> str:
    """Return the unit in brackets behind a quantity; the panel's title names the quantity."""
    return label.rpartition("(")[2].rstrip(")")


def capitalised(label: str) -> str:
    """Capitalise a label as a title; abbreviations stay as they are."""
    return label[:1].upper() + label[1:]


class Style(NamedTuple):
    """Name and look of a line."""

    name: str
    colour: str
    dash: str = "solid"
    width: float = 2


def line(x: Tensor, y: Tensor, style: Style, marks: Marks, **meta: Any) -> go.Scatter:
    """Draw a line through the points; ``meta`` is for the page's own script."""
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
    """Draw the 95% interval as a band, an outline along x and back."""
    known = (estimate.mean + estimate.margin).isfinite()
    places, mean, margin = x[known], estimate.mean[known], estimate.margin[known]
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
    """Thin out curves, keeping the same points of all."""
    places = kept(len(x))
    return tuple(curve[places] for curve in (x, *curves))
