"""Palette and layout shared by all pictures.

Figures are built without pyplot: no global state, and no display needed.
"""

from collections.abc import Mapping

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

# Okabe-Ito palette, safe for colour-blind readers.
SKY, YELLOW, VERMILION = "#56B4E9", "#F0E442", "#D55E00"
INK, QUIET, FAINT = "#1A1A1A", "#6B6B6B", "#D9D9D9"

DPI = 140
HEADING_INCHES = 0.62


def sheet(width: float, height: float, title: str, subtitle: str = "") -> Figure:
    """Return a white figure of this size in inches, with headings at the upper left."""
    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    left = 0.12 / width
    figure.text(
        left, 1 - 0.1 / height, title, size=11, weight="bold", color=INK, va="top", gid="title"
    )
    figure.text(left, 1 - 0.35 / height, subtitle, size=9, color=QUIET, va="top", gid="subtitle")
    return figure


def blank(axes: Axes, width: float, height: float) -> Axes:
    """Remove frame and ticks, and let y point down.

    Args:
        axes: to change.
        width: the axes' width in their own units.
        height: the axes' height in their own units.
    """
    axes.set_axis_off()
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    return axes


def tidy(axes: Axes) -> None:
    """Keep only the lower and left spines, in grey."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["bottom", "left"]].set_color(QUIET)
    axes.tick_params(colors=QUIET, labelsize=8, width=0.8)


def legend_below(figure: Figure, key: Mapping[str, Artist], columns: int) -> None:
    """Add a legend at the figure's lower edge."""
    figure.legend(
        list(key.values()),
        list(key),
        loc="lower center",
        bbox_to_anchor=(0.5, 0.06 / figure.get_figheight()),
        ncols=columns,
        fontsize=8,
        frameon=False,
        borderpad=0,
        borderaxespad=0,
    )


def pixels(frames: Tensor) -> NDArray[np.float32]:
    """Convert [T, C, H, W] in [0, 1], with one or three channels, to [T, H, W, 3] for ``imshow``.

    NaN, as after a divergence, becomes black.
    """
    colours = frames.float().expand(-1, 3, -1, -1).permute(0, 2, 3, 1)
    return colours.nan_to_num(0).clamp(0, 1).numpy(force=True)


def in_two_lines(label: str) -> str:
    """Break a label before the core and settings in brackets, which may be long."""
    return label.replace(" (", "\n(")
