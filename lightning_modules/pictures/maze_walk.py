"""Walks frame by frame: the truth, its reconstruction, and what is generated after a prefix."""

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from datamodules.maze import MOVES
from lightning_modules.metrics import OLD_AGE
from lightning_modules.pictures.style import (
    HEADING_INCHES,
    INK,
    QUIET,
    SKY,
    VERMILION,
    blank_axes,
    pixels,
    sheet,
)

ARROWS = {"none": "", "up": "↑", "down": "↓", "left": "←", "right": "→"}
ROWS = ("truth", "reconstruction", "generated")

# A frame is SIDE wide and high; columns are 1 apart, rows ROW. HEAD is for steps and moves.
SIDE, ROW, HEAD, FOOT, LABEL = 0.88, 1.42, 1.0, 0.85, 3.1
LEGEND_INCHES, COLUMN_INCHES, LEAST_COLUMNS = 0.3, 0.352, 25


class Walk(NamedTuple):
    """One sequence of T frames [T, C, H, W] in [0, 1], and what a model makes of it."""

    truth: Tensor
    reconstruction: Tensor
    generated: Tensor  #: reconstructed up to the prefix, from the prior after it
    actions: Tensor  #: [T, A], one-hot moves in the order of ``MOVES``
    recalled_from: Tensor  #: [T], the earlier step that shows the same cell, -1 where none
    prefix: int  #: frames that the model was given before it generated


class Revisit(NamedTuple):
    """A frame whose cell was seen before; steps count from 0, labels from 1."""

    step: int
    seen_at: int

    @property
    def colour(self) -> str:
        """Vermilion if the cell was last seen ``OLD_AGE`` steps ago or more, else sky blue."""
        return VERMILION if self.step - self.seen_at >= OLD_AGE else SKY


def revisits(recalled_from: Tensor) -> list[Revisit]:
    """All frames of a sequence that show what it has shown before; recalled_from is [T]."""
    return [Revisit(t, seen) for t, seen in enumerate(recalled_from.tolist()) if seen >= 0]


def maze_walk(walks: Sequence[Walk], title: str, subtitle: str, colour: str) -> Figure:
    """Draw three rows a walk; frames of cells seen before have a border and the step it was.

    Args:
        walks: of equal length.
        title: bold, in the first line.
        subtitle: in the second line.
        colour: of the model, for the names of its rows.
    """
    columns, rows = LABEL + max(len(walks[0].truth), LEAST_COLUMNS), HEAD + len(ROWS) * ROW + FOOT
    block = rows * COLUMN_INCHES
    height = HEADING_INCHES + len(walks) * block + LEGEND_INCHES
    figure = sheet(columns * COLUMN_INCHES, height, title, subtitle)
    for i, walk in enumerate(walks):
        bottom = (height - HEADING_INCHES - (i + 1) * block) / height
        axes = blank_axes(figure, (0, bottom, 1, block / height), columns, rows)
        _draw_walk(axes, walk, colour)
    _draw_legend(figure, height)
    return figure


def _draw_walk(axes: Axes, walk: Walk, colour: str) -> None:
    _draw_header(axes, walk.actions)
    for row, name in enumerate(ROWS):
        top = HEAD + row * ROW
        ink = INK if name == "truth" else colour
        axes.text(LABEL - 0.25, top + SIDE / 2, name, size=9, color=ink, ha="right", va="center")
        _draw_frames(axes, getattr(walk, name), top)
        for revisit in revisits(walk.recalled_from):
            _mark(axes, revisit, top, row)
    _draw_boundary(axes, walk.prefix)


def _draw_header(axes: Axes, actions: Tensor) -> None:
    """Number the steps from 1, with the move into each."""
    for y, name in ((0.25, "t"), (0.68, "move")):
        axes.text(LABEL - 0.25, y, name, size=8, color=QUIET, ha="right", va="center")
    for t, move in enumerate(actions.argmax(1).tolist()):
        x = LABEL + t + SIDE / 2
        axes.text(x, 0.25, f"{t + 1}", size=8, color=QUIET, ha="center", va="center")
        axes.text(x, 0.68, ARROWS[MOVES[move]], size=9, color=INK, ha="center", va="center")


def _draw_frames(axes: Axes, frames: Tensor, top: float) -> None:
    limits = axes.get_xlim(), axes.get_ylim()
    for t, frame in enumerate(pixels(frames)):
        extent = (LABEL + t, LABEL + t + SIDE, top + SIDE, top)
        axes.imshow(frame, extent=extent, interpolation="nearest", aspect="auto", gid="frame")
    axes.set(xlim=limits[0], ylim=limits[1])


def _mark(axes: Axes, revisit: Revisit, top: float, row: int) -> None:
    left = LABEL + revisit.step
    border = Rectangle((left, top), SIDE, SIDE, fill=False, ec=revisit.colour, lw=2.2)
    border.set_gid(f"revisit row {row} step {revisit.step}")
    axes.add_patch(border)
    axes.text(
        left + SIDE / 2,
        top + SIDE + 0.25,
        f"t={revisit.seen_at + 1}",
        size=7,
        color=INK,
        ha="center",
        va="center",
    )


def _draw_boundary(axes: Axes, prefix: int) -> None:
    """Divide what the model was given from what it generated, through all rows."""
    x, bottom = LABEL + prefix - (1 - SIDE) / 2, HEAD + len(ROWS) * ROW
    axes.plot([x, x], [0.05, bottom + 0.5], color=INK, lw=1.8, gid="prefix")
    sides = [("generated from the prior and the moves", x + 0.2, "left")]
    if prefix:
        sides.append(("shown to the generator", x - 0.2, "right"))
    for text, edge, side in sides:
        axes.text(edge, bottom + 0.28, text, size=8, color=INK, ha=side, va="center")


def _draw_legend(figure: Figure, height: float) -> None:
    texts = (
        (SKY, f"cell last seen fewer than {OLD_AGE} steps ago, at the t below"),
        (VERMILION, f"cell last seen {OLD_AGE} steps ago or more"),
    )
    handles = [Rectangle((0, 0), 1, 1, fill=False, ec=colour, lw=2.2) for colour, _ in texts]
    figure.legend(
        handles,
        [text for _, text in texts],
        loc="lower right",
        bbox_to_anchor=(0.995, 0.02 / height),
        ncols=2,
        fontsize=8,
        frameon=False,
        handlelength=1,
        handleheight=1,
        borderpad=0.2,
    )
