"""One line per model, bands if they are known, and lines that differ in more than colour."""

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from lightning_modules.pictures.curve_comparison import (
    Backdrop,
    ModelCurve,
    curve_comparison,
    legend_columns,
)
from lightning_modules.pictures.style import INK
from memory_cores import CORES

NAN = float("nan")
KL = torch.tensor([15.0, 14.0, 3.0])
UNKNOWN = torch.full((3,), NAN)


NATS = Backdrop("KL (nats)", from_zero=True, share_name="recalled steps")
LOOKS = {core.__name__: core.look for core in CORES}


def line(
    name: str, core: str, mean: torch.Tensor, error: torch.Tensor, style: str = "-"
) -> ModelCurve:
    return ModelCurve(name, *LOOKS[core], style, mean, error)


def figure_of(*curves: ModelCurve, share: torch.Tensor | None = None) -> Figure:
    return curve_comparison(curves, NATS._replace(share=share), "Title", "Subtitle")


def test_lines_and_bands_are_drawn_over_steps_from_one() -> None:
    error = torch.tensor([0.5, 0.25, 1.0])
    dnc, vrnn = line("A, 3 runs", "DNC", KL, error), line("B", "NoMemory", KL, UNKNOWN)
    axes = figure_of(dnc, vrnn).axes[0]
    assert [line.get_ydata().tolist() for line in axes.lines] == [KL.tolist()] * 2
    assert [line.get_xdata().tolist() for line in axes.lines] == [[1, 2, 3]] * 2
    (band,) = axes.collections
    assert band.get_gid() == "A, 3 runs"
    low, high = (f(band.get_paths()[0].vertices[:, 1]) for f in (min, max))
    assert (low, high) == (2, 15.5)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["A, 3 runs", "B"]
    assert "nats" in axes.get_ylabel() and axes.get_xlabel() == "step t"


def test_every_core_has_its_colour_and_a_marker_of_its_own() -> None:
    curves = [line(core.__name__, core.__name__, KL, UNKNOWN) for core in CORES]
    lines = figure_of(*curves).axes[0].lines
    assert [to_hex(line.get_color()) for line in lines] == [c.look.colour.lower() for c in CORES]
    assert len({line.get_marker() for line in lines}) == len(CORES)


def test_a_core_looks_the_same_whatever_it_is_compared_with() -> None:
    alone, beside = (
        figure_of(*(line(name, name, KL, UNKNOWN) for name in names)).axes[0].lines[-1]
        for names in (["LRU"], ["DNC", "NTM", "LRU"])
    )
    assert alone.get_marker() == beside.get_marker()
    assert alone.get_linestyle() == beside.get_linestyle() == "-"


def test_models_with_the_same_core_differ_in_their_line_style() -> None:
    names = {"VRNN": "-", "GTMM (NoMemory)": "--"}
    curves = [line(name, "NoMemory", KL, UNKNOWN, style) for name, style in names.items()]
    one, other = figure_of(*curves).axes[0].lines
    assert (one.get_linestyle(), other.get_linestyle()) == ("-", "--")


def test_long_sequences_have_fewer_markers_than_steps() -> None:
    kl = torch.rand(55)
    one, other = figure_of(*(line(n, n, kl, kl) for n in ("DNC", "NTM"))).axes[0].lines
    assert one.get_markevery() == (0, 2) and other.get_markevery() == (1, 2)


@pytest.mark.parametrize(("share", "axes"), [(None, 1), ([0.0, 0, 0], 1), ([0.0, 0, 1], 2)])
def test_recalled_steps_are_shaded_where_there_are_some(share, axes: int) -> None:
    shares = None if share is None else torch.tensor(share)
    figure = figure_of(line("A", "DNC", KL, UNKNOWN), share=shares)
    assert len(figure.axes) == axes
    bars = [100 * value for value in share] if axes == 2 else []
    assert [bar.get_height() for bar in figure.axes[-1].patches] == bars


@pytest.mark.parametrize(("length", "columns"), [(16, 3), (23, 3), (32, 2), (48, 1), (90, 1)])
def test_the_legend_has_room_for_its_names(length: int, columns: int) -> None:
    name = ("GTMM (DNC, read_heads=1, word_size=20, map_size=0), 3 runs" * 4)[:length]
    assert legend_columns([name] * 3) == columns
    figure = figure_of(*[line(name, "DNC", KL, UNKNOWN)] * 3)
    figure.draw_without_rendering()
    box = figure.axes[0].get_legend().get_window_extent(FigureCanvasAgg(figure).get_renderer())
    assert box.x1 < figure.bbox.x1


def test_gaps_are_drawn() -> None:
    gap = torch.tensor([1.0, NAN, 2.0])
    (drawn,) = figure_of(line("A", "DNC", gap, gap)).axes[0].lines
    assert np.isnan(drawn.get_ydata()).tolist() == [False, True, False]


def test_an_optimum_is_a_dashed_line_below_zero_too() -> None:
    optimum = torch.tensor([-1.0, -1.25, -1.5])
    backdrop = Backdrop("NLL", from_zero=False, optimum=optimum, optimum_name="optimum")
    axes = curve_comparison([line("A", "RMR", KL, UNKNOWN)], backdrop, "", "").axes[0]
    drawn = axes.lines[-1]
    assert drawn.get_ydata().tolist() == optimum.tolist() and drawn.get_linestyle() == "--"
    assert to_hex(drawn.get_color()) == INK.lower()
    low, high = axes.get_ylim()
    assert low < -1.5 and high > 15 and axes.get_ylabel() == "NLL"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["A", "optimum"]


def test_lines_may_be_drawn_against_seconds_of_training() -> None:
    seconds = torch.tensor([10.0, 25.0, 60.0])
    error = torch.tensor([0.5, 0.25, 1.0])
    axes = figure_of(line("A", "RMR", KL, error)._replace(places=seconds)).axes[0]
    assert axes.lines[0].get_xdata().tolist() == [10, 25, 60]
    assert set(axes.collections[0].get_paths()[0].vertices[:, 0]) == {10, 25, 60}
    assert "seconds" in axes.get_xlabel() and axes.get_xlim()[0] == 0
