"""Curves of several models on one benchmark, over sequence steps or training time.

As in figures 4 to 12 of Gemici et al. 2017, and 4 and 7 of Yoon et al. 2020.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from lightning_modules.pictures.layout import add_axes
from lightning_modules.pictures.step_axes import (
    AXES_INCHES,
    LEFT_INCHES,
    draw_curve,
    draw_share,
    fit,
    fit_from_zero,
    label_seconds,
    label_steps,
)
from lightning_modules.pictures.style import HEADING_INCHES, INK, sheet

WIDTH, HEIGHT = 8.0, 5.0
#: Legend: most columns, letters per line, and width of a handle in letters.
MOST_COLUMNS, LEGEND_LETTERS, HANDLE_LETTERS = 3, 104, 11
LEGEND_ROW_INCHES, GAP_INCHES, FOOT_INCHES = 0.22, 0.1, 0.525
#: Legend rows that fit into a figure of the default height.
MOST_ROWS = 4
MOST_MARKERS = 30


class ModelCurve(NamedTuple):
    """One model's line."""

    name: str
    colour: str
    marker: str  #: of Matplotlib
    line_style: str  #: of Matplotlib
    mean: Tensor  #: [T]
    margin: Tensor  #: [T], half-width of the 95% interval; NaN if unknown
    places: Tensor | None = None  #: [T], positions on the x axis; None for steps 1 to T


class Backdrop(NamedTuple):
    """Axes of a comparison, and what is drawn behind the models' curves."""

    label: str  #: of the quantity, with its unit
    from_zero: bool  #: whether the quantity is never negative
    share: Tensor | None = None  #: [T], share of sequences in [0, 1]; drawn as shaded bars
    share_name: str = ""
    optimum: Tensor | None = None  #: [T], drawn as a dashed line
    optimum_name: str = ""


def curve_comparison(
    curves: Sequence[ModelCurve], backdrop: Backdrop, title: str, subtitle: str
) -> Figure:
    """Draw a line for each model, with its 95% interval as a band.

    Args:
        curves: the models' curves.
        backdrop: the axes, and what is drawn behind the curves.
        title: bold, in the first line.
        subtitle: in the second line.
    """
    names = [curve.name for curve in curves]
    if backdrop.optimum is not None:
        names.append(backdrop.optimum_name)
    columns = legend_columns(names)
    rows = -(-len(names) // columns)
    figure = sheet(WIDTH, height_with(rows), title, subtitle)
    axes = axes_below_legend(figure, rows)
    for i, curve in enumerate(curves):
        draw_model(axes, curve, offset=i)
    if backdrop.optimum is not None:
        draw_curve(axes, backdrop.optimum, backdrop.optimum_name, color=INK, lw=1.6, ls="--")
    (fit_from_zero if backdrop.from_zero else fit)(axes)
    if backdrop.share is not None and backdrop.share.any():
        draw_share(axes, backdrop.share, backdrop.share_name)
    if curves[0].places is None:
        label_steps(axes, len(curves[0].mean), backdrop.label)
    else:
        label_seconds(axes, backdrop.label)
    name_models(axes, columns)
    return figure


def height_with(legend_rows: int) -> float:
    """Return a figure's height in inches, which grows with a long legend."""
    return HEIGHT + LEGEND_ROW_INCHES * max(0, legend_rows - MOST_ROWS)


def axes_below_legend(figure: Figure, legend_rows: int) -> Axes:
    """Add axes below the heading and a legend of ``legend_rows`` rows."""
    top = HEADING_INCHES + LEGEND_ROW_INCHES * legend_rows + GAP_INCHES
    height = figure.get_figheight() - top - FOOT_INCHES
    return add_axes(figure, LEFT_INCHES, top, AXES_INCHES, height)


def name_models(axes: Axes, columns: int) -> None:
    """Add a legend above the axes."""
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(0, 1.01),
        ncols=columns,
        fontsize=9,
        frameon=False,
        handlelength=3,
        borderpad=0,
        borderaxespad=0,
    )


def legend_columns(names: Sequence[str]) -> int:
    """Return how many legend columns fit these names, at most ``MOST_COLUMNS``."""
    for columns in range(min(MOST_COLUMNS, len(names)), 1, -1):
        parts = np.array_split([len(name) for name in names], columns)
        if sum(part.max() + HANDLE_LETTERS for part in parts) <= LEGEND_LETTERS:
            return columns
    return 1


def draw_model(axes: Axes, curve: ModelCurve, offset: int) -> None:
    """Draw a model's line with its interval.

    Args:
        axes: to draw on.
        curve: of the model.
        offset: index of the first marker, if only some points have one.
    """
    across = torch.arange(1, len(curve.mean) + 1) if curve.places is None else curve.places
    places, mean, margin = (x.numpy() for x in (across, curve.mean, curve.margin))
    every = -(-len(places) // MOST_MARKERS)
    axes.plot(
        places,
        mean,
        color=curve.colour,
        ls=curve.line_style,
        lw=1.8,
        marker=curve.marker,
        ms=6,
        # Long sequences have markers at a few steps, offset by model so that they do not overlap.
        markevery=(offset % every, every),
        markeredgecolor="white",
        markeredgewidth=0.5,
        label=curve.name,
        gid=curve.name,
    )
    if curve.margin.isfinite().any():
        band = mean - margin, mean + margin
        axes.fill_between(places, *band, color=curve.colour, alpha=0.2, lw=0, gid=curve.name)
