"""Memory film as a chart: heat maps over all steps, and every head at one step."""

from base64 import b64encode
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
import torch
from plotly.basedatatypes import BaseTraceType
from torch import Tensor

from lightning_modules.pictures.memory_film import expected_reads
from lightning_modules.pictures.style import INK
from lightning_modules.records.film_file import Film
from lightning_modules.report.chart import PAPER, Chart
from lightning_modules.report.colours import on_dark, weight_scale

#: Weight 1; the page stores weights as integer thousandths, to save space.
FULL = 1000
HEIGHT = 470
#: Height in pixels of the column of head names.
LETTERS = 80
MARGIN = {"l": 62, "r": 8, "t": 6, "b": 40}


def film_chart(film: Film, colour: str) -> Chart:
    """Return heat maps of writes and reads, with all heads at one step."""
    write, read = film.write, film.read
    maps = [each for each in (("written", write), ("read", read)) if each[1].shape[1]]
    traces: list[BaseTraceType] = [
        _map(weights.amax(1).T, colour, axis, "step %{x}, slot %{y}")
        for axis, (_, weights) in enumerate(maps, 1)
    ]
    traces.append(_rings(film, len(maps)))
    heads = _heads(film)
    strip = _map(torch.zeros(len(heads), read.shape[-1]), colour, len(maps) + 1, "%{y}, slot %{x}")
    strip.y = heads
    strip.ygap = 1
    moments = [_encoded(moment) for moment in torch.cat([write, read], 1)]
    layout = _layout([name for name, _ in maps], *film.read.shape[::2])
    size = max(1, min(10, LETTERS // len(heads)))
    layout.update({f"yaxis{len(maps) + 1}_tickfont_size": size})
    return Chart([*traces, strip], layout, {"moments": moments})


def _heads(film: Film) -> list[str]:
    counts = {"write": film.write.shape[1], "read": film.read.shape[1]}
    return [f"{kind} {i}" for kind, count in counts.items() for i in range(1, count + 1)]


def _map(weights: Tensor, colour: str, axis: int, place: str) -> go.Heatmap:
    scales = {
        f"{shade}_scale": weight_scale(colour, shade == "dark") for shade in ("light", "dark")
    }
    return go.Heatmap(
        z=None,
        x0=1,
        y0=1,
        xaxis=f"x{axis}",
        yaxis=f"y{axis}",
        zmin=0,
        zmax=FULL,
        colorscale=scales["light_scale"],
        showscale=False,
        hovertemplate=f"{place}: %{{z}} ‰<extra></extra>",
        meta={"z": _encoded(weights), "dark": {"colorscale": scales["dark_scale"]}},
    )


def _rings(film: Film, axis: int) -> go.Scatter:
    """Return rings around the slots that stored the answers of recalled steps."""
    expected = expected_reads(film.write, film.recalled_from)
    steps, slots = torch.tensor(expected).reshape(-1, 2).add(1).T.tolist()
    return go.Scatter(
        x=steps,
        y=slots,
        xaxis=f"x{axis}",
        yaxis=f"y{axis}",
        mode="markers",
        marker={"symbol": "circle-open", "size": 8, "color": INK, "line": {"width": 1}},
        hoverinfo="skip",
        meta={"dark": {"marker.color": on_dark(INK)}},
    )


def _encoded(weights: Tensor) -> dict[str, str]:
    """Encode weights [rows, columns] as thousandths, in Plotly's binary array format."""
    whole = (FULL * weights.double()).round().numpy(force=True).astype(np.uint16)
    shape = ", ".join(map(str, whole.shape))
    return {"dtype": "u2", "bdata": b64encode(whole.tobytes()).decode(), "shape": shape}


def _layout(maps: Sequence[str], steps: int, slots: int) -> go.Layout:
    """Lay out maps one below the other, with step numbers at the last, then the heads."""
    axes: dict[str, Any] = {}
    heights = _heights(len(maps))
    for i, (name, domain) in enumerate(zip(maps, heights, strict=True), 1):
        last = i == len(maps)
        across = {"range": [0.5, steps + 0.5], "showticklabels": last}
        axes[f"xaxis{i}"] = _axis("step t" * last, anchor=f"y{i}", **across)
        down = {"range": [slots + 0.5, 0.5], "domain": domain}
        axes[f"yaxis{i}"] = _axis(f"{name}: slot", anchor=f"x{i}", **down)
    n = len(maps) + 1
    heads = {"domain": [0, 0.22], "autorange": "reversed", "dtick": 1}
    axes |= {f"xaxis{n}": _axis("slot", anchor=f"y{n}")}
    axes |= {f"yaxis{n}": _axis("", anchor=f"x{n}", **heads)}
    return go.Layout(height=HEIGHT, margin=MARGIN, showlegend=False, **PAPER, **axes)


def _heights(maps: int) -> list[list[float]]:
    """Return bottom and top of each map, as shares of the chart's height."""
    return [[0.68, 0.96], [0.36, 0.64]] if maps == 2 else [[0.42, 1.0]]


def _axis(title: str, **settings: Any) -> dict[str, Any]:
    plain = {"showgrid": False, "zeroline": False, "fixedrange": True}
    return {"title": {"text": title, "standoff": 4}, **plain, **settings}
