"""Where memories are written and read, step by step with a slider."""

from base64 import b64encode
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go
import torch
from plotly.basedatatypes import BaseTraceType
from torch import Tensor

from lightning_modules.command_line.run_folder import RunFolder
from lightning_modules.pictures.film_file import Film, NoFilm, load_film
from lightning_modules.pictures.memory_film import expected_reads
from lightning_modules.report.benchmarks import BenchmarkRuns
from lightning_modules.report.chart import PAPER, Chart
from lightning_modules.report.colours import weight_scale
from lightning_modules.report.embedding import Embedded, film_strip, left_out_of
from lightning_modules.report.marks import Marks
from lightning_modules.report.markup import Markup, data, join, tag
from lightning_modules.report.run_finder import Problem
from lightning_modules.report.run_record import RunRecord
from lightning_modules.report.section import Section, panel
from lightning_modules.report.sections.gallery import figure, first_seeds_first
from lightning_modules.report.variants import Variant, seed_name

#: Weights are whole numbers in the page: thousandths.
FULL = 1000
HEIGHT = 470
FRAME_PIXELS = 84
LEAD = (
    "The first test sequence. Above: the largest weight of any head, by step and slot; rings mark "
    "the slot in which the step that holds this step's answer was written most. Below: every head "
    "at the step of the slider. Weights in thousandths, colours on a square-root scale."
)


class FilmOfRun(NamedTuple):
    """A film, and whose it is."""

    variant: Variant
    run: RunRecord
    film: Film


def films(benchmarks: Sequence[BenchmarkRuns], embedded: Embedded) -> Section:
    """A panel for each benchmark, with a slider for all of its films."""
    panels = [panel for benchmark in benchmarks for panel in _panels(benchmark, embedded)]
    return Section("film", "Memory film", LEAD + left_out_of(embedded.budget), panels)


def _panels(benchmark: BenchmarkRuns, embedded: Embedded) -> Iterator[Markup]:
    shown, pictures = [], []
    for variant, run in first_seeds_first(benchmark):
        film = _film(run, embedded)
        picture = RunFolder(run.folder).pictures / "memory_film.png"
        if film is not None:
            shown.append(FilmOfRun(variant, run, film))
        elif picture.is_file() and (uri := embedded.uri(picture)) is not None:
            pictures.append(figure(run, variant, uri))
    made = (embedded.budget.take(partial(_box, each)) for each in shown)
    boxes = [Markup(box) for box in made if box is not None]
    if boxes:
        content = _slider(shown[0].film), tag("div", *boxes, class_="films")
        yield panel(benchmark.label, _tested(benchmark), *content, benchmark=benchmark.key)
    if pictures:
        row = tag("div", *pictures, class_="row", tabindex="0")
        subtitle = "First validation sequence; a test adds the slider"
        yield panel(benchmark.label, subtitle, row, benchmark=benchmark.key)


def _tested(benchmark: BenchmarkRuns) -> str:
    return f"First of {benchmark.details}"


def _film(run: RunRecord, embedded: Embedded) -> Film | None:
    path = RunFolder(run.folder).film
    if not path.is_file():
        return None
    try:
        return load_film(path)
    except NoFilm as reason:
        embedded.problems.append(Problem(path, str(reason)))
        return None


def _slider(film: Film) -> Markup:
    """The step, with the frame that is seen then and where its answer is."""
    steps = len(film.frames)
    bar = tag("input", type="range", min=1, max=steps, value=1, aria_label="step", step=1)
    frame = tag("div", class_="frame", role="img", aria_label="the frame of this step")
    said = tag("output", "")
    story = {"strip": film_strip(film.frames), "recalled_from": film.recalled_from.tolist()}
    return tag("div", frame, tag("label", "Step ", bar), said, data(story), class_="slider")


def _box(each: FilmOfRun) -> Markup:
    caption = f"{each.variant.label}, seed {seed_name(each.run)}"
    chart = film_chart(each.film, each.variant.colour).markup(f"Memory film of {caption}")
    marks = Marks(each.run.core, [seed_name(each.run)])
    return join([tag("div", tag("h4", caption), chart, class_="film", **marks.attributes())])


def film_chart(film: Film, colour: str) -> Chart:
    """Heat maps of what is written and read, and all heads at one step."""
    write, read = film.weightings.write, film.weightings.read
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
    layout = _layout([name for name, _ in maps], len(film.frames), read.shape[-1])
    return Chart([*traces, strip], layout, {"moments": moments})


def _heads(film: Film) -> list[str]:
    counts = {"write": film.weightings.write.shape[1], "read": film.weightings.read.shape[1]}
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
    """Around where the answers of recalled steps were stored."""
    expected = expected_reads(film.weightings.write, film.recalled_from)
    steps, slots = torch.tensor(expected).reshape(-1, 2).add(1).T.tolist()
    return go.Scatter(
        x=steps,
        y=slots,
        xaxis=f"x{axis}",
        yaxis=f"y{axis}",
        mode="markers",
        marker={"symbol": "circle-open", "size": 8, "color": "#1A1A1A", "line": {"width": 1}},
        hoverinfo="skip",
        meta={"dark": {"marker.color": "#E5E5E5"}},
    )


def _encoded(weights: Tensor) -> dict[str, str]:
    """As Plotly reads arrays: [rows, columns] of thousandths."""
    whole = (FULL * weights.double()).round().numpy(force=True).astype(np.uint16)
    shape = ", ".join(map(str, whole.shape))
    return {"dtype": "u2", "bdata": b64encode(whole.tobytes()).decode(), "shape": shape}


def _layout(maps: Sequence[str], steps: int, slots: int) -> go.Layout:
    """Axes below each other; only the last map of steps names them."""
    bottoms = {2: (0.68, 0.36), 1: (0.42,)}[len(maps)]
    height = 0.28 if len(maps) == 2 else 0.58
    axes: dict[str, Any] = {}
    for i, (name, bottom) in enumerate(zip(maps, bottoms, strict=True), 1):
        last = i == len(maps)
        axes[f"xaxis{i}"] = _axis(
            "step t" if last else "", anchor=f"y{i}", range=[0.5, steps + 0.5]
        )
        axes[f"xaxis{i}"]["showticklabels"] = last
        top = [bottom, bottom + height]
        axes[f"yaxis{i}"] = _axis(
            f"{name}: slot", anchor=f"x{i}", domain=top, range=[slots + 0.5, 0.5]
        )
    n = len(maps) + 1
    axes[f"xaxis{n}"] = _axis("slot", anchor=f"y{n}")
    axes[f"yaxis{n}"] = _axis("", anchor=f"x{n}", domain=[0, 0.22], autorange="reversed", dtick=1)
    axes[f"yaxis{n}"]["tickfont"] = {"size": 10}
    margin = {"l": 62, "r": 8, "t": 6, "b": 40}
    return go.Layout(height=HEIGHT, margin=margin, showlegend=False, **PAPER, **axes)


def _axis(title: str, **settings: Any) -> dict[str, Any]:
    plain = {"showgrid": False, "zeroline": False, "fixedrange": True}
    return {"title": {"text": title, "standoff": 4}, **plain, **settings}
