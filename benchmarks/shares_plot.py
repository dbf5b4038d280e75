"""Plots what training steps are spent on."""

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure
from matplotlib.patches import Patch

from lightning_modules.pictures.style import FAINT, INK, SKY, YELLOW, legend_below, sheet, tidy

WIDTH, ROW = 8.0, 0.26
#: Inches above and below the bars.
ABOVE, BELOW = 0.75, 0.85
PARTS = {
    "networks": (SKY, "encoder and decoder"),
    "products": (YELLOW, "matrix products elsewhere"),
    "elsewhere": (FAINT, "all else"),
}


def shares_plot(rows: Mapping[str, Mapping[str, Any]], title: str, subtitle: str) -> Figure:
    """Draw a bar per experiment with the shares of its step in percent.

    Args:
        rows: shares by the experiments' names.
        title: first line, in bold.
        subtitle: second line.
    """
    height = ABOVE + BELOW + ROW * len(rows)
    figure = sheet(WIDTH, height, title, subtitle)
    axes = figure.add_axes((0.27, BELOW / height, 0.69, ROW * len(rows) / height))
    left = [0.0] * len(rows)
    for part, (colour, _) in PARTS.items():
        shares = [100 * row[part] for row in rows.values()]
        axes.barh(list(rows), shares, left=left, color=colour, height=0.75)
        left = [start + share for start, share in zip(left, shares, strict=True)]
    axes.set_xlim(0, 100)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlabel("share of a training step (%)", size=9, color=INK)
    tidy(axes)
    legend_below(figure, {name: Patch(color=colour) for colour, name in PARTS.values()}, columns=3)
    return figure
