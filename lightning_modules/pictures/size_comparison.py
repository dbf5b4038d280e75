"""A measure of several models over their memory size (Yoon et al. 2020, figure 6)."""

from collections.abc import Sequence

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from lightning_modules.pictures.curve_comparison import (
    WIDTH,
    ModelCurve,
    axes_below_legend,
    draw_model,
    height_with,
    legend_columns,
    name_models,
)
from lightning_modules.pictures.step_axes import fit
from lightning_modules.pictures.style import INK, sheet, tidy

#: Dashes of the first, second, ... level of one colour.
DASHES = ((0, (6, 2)), (0, (2, 1.5)), (0, (8, 2, 2, 2)), (0, (1, 1)))
#: Factor by which the x axis extends beyond the smallest and the largest memory.
REACH = 1.25


def size_comparison(
    curves: Sequence[ModelCurve],
    levels: Sequence[ModelCurve],
    label: str,
    title: str,
    subtitle: str,
) -> Figure:
    """Draw a line over size for each memory, and a level for each model without a size.

    Args:
        curves: memories, with their sizes as ``places``.
        levels: models without a size, each with one mean and margin.
        label: of the measure, with its unit.
        title: bold, in the first line.
        subtitle: in the second line.
    """
    columns = legend_columns([each.name for each in (*curves, *levels)])
    rows = -(-(len(curves) + len(levels)) // columns)
    figure = sheet(WIDTH, height_with(rows), title, subtitle)
    axes = axes_below_legend(figure, rows)
    sizes = sorted({size for curve in curves for size in _sizes(curve)})
    axes.set_xscale("log")
    axes.set_xlim(sizes[0] / REACH, sizes[-1] * REACH)
    for curve in curves:
        draw_model(axes, curve, offset=0)
    for i, level in enumerate(levels):
        earlier = [each.colour for each in levels[:i]]
        _draw_level(axes, level, DASHES[earlier.count(level.colour) % len(DASHES)])
    fit(axes)
    axes.xaxis.set_major_locator(FixedLocator(sizes))
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("slots K of the memory", size=9, color=INK)
    axes.set_ylabel(label, size=9, color=INK)
    tidy(axes)
    name_models(axes, columns)
    return figure


def _sizes(curve: ModelCurve) -> list[float]:
    assert curve.places is not None, "places must be sizes"
    return curve.places.tolist()


def _draw_level(axes: Axes, level: ModelCurve, dashes: tuple[int, tuple[float, ...]]) -> None:
    """Draw a horizontal line over the whole width, with its interval as a band."""
    across, mean, margin = axes.get_xlim(), float(level.mean[0]), float(level.margin[0])
    name = level.name
    axes.plot(across, [mean, mean], color=level.colour, lw=1.6, ls=dashes, label=name, gid=name)
    if torch.isfinite(level.margin).all():
        band = [mean - margin] * 2, [mean + margin] * 2
        axes.fill_between(across, *band, color=level.colour, alpha=0.12, lw=0, gid=name)
