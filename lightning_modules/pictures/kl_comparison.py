"""KL divergence of each step, of several models on one benchmark.

As in figures 4 to 12 of Gemici et al. 2017.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from lightning_modules.pictures.kl_curve import draw_share, label_steps
from lightning_modules.pictures.style import HEADING_INCHES, INK, sheet
from memory_cores import CORES

WIDTH, HEIGHT = 8.0, 5.0
#: A line of the legend has room for that many letters; a handle takes as much as some.
MOST_COLUMNS, LEGEND_LETTERS, HANDLE_LETTERS = 3, 104, 11
LEGEND_ROW_INCHES = 0.22
#: One for each core, in the order of ``CORES``, so that lines differ in grey print, too.
MARKERS = "oDs^vXP*<>"
#: Of the first, second, ... model with the same core.
LINE_STYLES = ("-", "--", ":", "-.")
MOST_MARKERS = 30


class ModelCurve(NamedTuple):
    """One model's line."""

    name: str
    core: str | None  #: decides on colour and marker
    kl: Tensor  #: [T], nats per step
    error: Tensor  #: [T], standard error of it; NaN where it is not known


def kl_comparison(
    curves: Sequence[ModelCurve], share: Tensor | None, title: str, subtitle: str
) -> Figure:
    """Draw a line for each model, with a band of one standard error to both sides.

    Args:
        curves: of the models.
        share: [T] in [0, 1], of sequences that recall at a step; drawn as shaded bars.
        title: bold, in the first line.
        subtitle: in the second line.
    """
    figure = sheet(WIDTH, HEIGHT, title, subtitle)
    columns = legend_columns([curve.name for curve in curves])
    legend = LEGEND_ROW_INCHES * -(-len(curves) // columns) + 0.1
    top = 1 - (HEADING_INCHES + legend) / HEIGHT
    axes = figure.add_axes((0.085, 0.105, 0.83, top - 0.105))
    for i, curve in enumerate(curves):
        same_core = [other.core for other in curves[:i]].count(curve.core)
        _draw_model(axes, curve, LINE_STYLES[same_core % len(LINE_STYLES)], offset=i)
    if share is not None and share.any():
        draw_share(axes, share)
    label_steps(axes, len(curves[0].kl))
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
    return figure


def legend_columns(names: Sequence[str]) -> int:
    """As many as have room, at most ``MOST_COLUMNS``."""
    for columns in range(min(MOST_COLUMNS, len(names)), 1, -1):
        parts = np.array_split([len(name) for name in names], columns)
        if sum(part.max() + HANDLE_LETTERS for part in parts) <= LEGEND_LETTERS:
            return columns
    return 1


def _draw_model(axes: Axes, curve: ModelCurve, line_style: str, offset: int) -> None:
    colour, marker = look_of(curve.core)
    steps, kl, error = (
        x.numpy() for x in (torch.arange(1, len(curve.kl) + 1), curve.kl, curve.error)
    )
    every = -(-len(steps) // MOST_MARKERS)
    axes.plot(
        steps,
        kl,
        color=colour,
        ls=line_style,
        lw=1.8,
        marker=marker,
        ms=6,
        # On long sequences not at every step, and not all models at the same ones.
        markevery=(offset % every, every),
        markeredgecolor="white",
        markeredgewidth=0.5,
        label=curve.name,
        gid=curve.name,
    )
    if curve.error.isfinite().any():
        axes.fill_between(
            steps, kl - error, kl + error, color=colour, alpha=0.2, lw=0, gid=curve.name
        )


def look_of(core: str | None) -> tuple[str, str]:
    """Colour and marker of a core; one that is not ours (any more) gets the ink's and a dot."""
    for known, marker in zip(CORES, MARKERS, strict=False):
        if known.__name__ == core:
            return known.colour, marker
    return INK, "."
