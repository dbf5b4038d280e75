"""Visited part of a maze, with visits in colour channels (Gemici et al. 2017, figure 15).

A cell's first visit is drawn in the red channel, its second in green, its third in blue. Images
that are equal on all visits add up to yellow, then white. The paper stops at three visits; here
every later visit replaces blue, so that incoherence is visible whenever it occurs.
"""

from collections.abc import Mapping

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch
from numpy.typing import NDArray
from torch import Tensor

from lightning_modules.pictures.layout import Panels
from lightning_modules.pictures.style import HEADING_INCHES, INK, QUIET, YELLOW, blank, sheet

COLUMNS, LAST_MOVES = 5, 5
UNSEEN = 0.82  #: grey of cells not visited yet
GROUND = "#3C3C3C"

SIDE_INCHES, GAP_INCHES, LABEL_INCHES, STEP_INCHES = 1.36, 0.1, 1.55, 0.24
RIGHT_INCHES, FOOT_INCHES = 0.2, 0.6
PANELS = Panels(
    left=LABEL_INCHES,
    top=HEADING_INCHES + STEP_INCHES,
    size=(SIDE_INCHES, SIDE_INCHES),
    gaps=(GAP_INCHES, GAP_INCHES),
)


def visit_numbers(place: Tensor) -> Tensor:
    """Count how often each step's place [T] was visited before it, [T]."""
    same = place.unsqueeze(1) == place
    return same.tril(-1).sum(1)


def overlay(frames: Tensor, place: Tensor, grid: int, until: int) -> Tensor:
    """Lay out the frames of the first steps, each visit of a cell in its own channel.

    Args:
        frames: [T, 1, H, W] in [0, 1].
        place: [T], row * grid + column.
        grid: rows, and columns, of the maze.
        until: number of steps, from the first.

    Returns:
        picture: [grid * H, grid * W, 3] in [0, 1], red, green and blue; 0 in unseen cells.
    """
    height, width = frames.shape[2:]
    picture = frames.new_zeros(grid, height, grid, width, 3)
    for t, visit in enumerate(visit_numbers(place[:until]).tolist()):
        row, column = divmod(int(place[t]), grid)
        picture[row, :, column, :, min(visit, 2)] = frames[t, 0]
    return picture.reshape(grid * height, grid * width, 3)


def last_moves(place: Tensor, until: int, count: int = LAST_MOVES) -> list[tuple[int, int]]:
    """List the last moves (from cell, to cell) before a step, the oldest first.

    Args:
        place: [T], row * grid + column.
        until: number of steps, from the first.
        count: number of moves, at most.
    """
    path = place[:until].tolist()[-count - 1 :]
    return list(zip(path, path[1:], strict=False))


def instants(steps: int) -> list[int]:
    """Return the numbers of steps after which the maze is drawn: five, evenly spaced."""
    return sorted({max(1, round(steps * i / COLUMNS)) for i in range(1, COLUMNS + 1)})


def visit_overlay(
    rows: Mapping[str, Tensor], place: Tensor, grid: int, title: str, subtitle: str
) -> Figure:
    """Draw the moves on top, then a row of overlays for each model.

    Args:
        rows: frames [T, 1, H, W] of one walk, by the row's name: the truth and models.
        place: [T], row * grid + column.
        grid: rows, and columns, of the maze.
        title: bold, in the first line.
        subtitle: in the second line.
    """
    times = instants(len(place))
    width = PANELS.right(len(times)) + RIGHT_INCHES
    height = PANELS.bottom(1 + len(rows)) + FOOT_INCHES
    figure = sheet(width, height, title, subtitle)
    for column, until in enumerate(times):
        axes = _add_maze(figure, 0, column, grid)
        axes.set_title(f"t = {until}", size=9, color=INK, pad=4)
        _draw_moves(axes, place, grid, until)
        for row, frames in enumerate(rows.values(), start=1):
            _draw_maze(_add_maze(figure, row, column, grid), frames, place, grid, until)
    for row, name in enumerate(("last five moves", *rows)):
        _name_row(figure, row, name)
    _draw_note(figure)
    return figure


def _add_maze(figure: Figure, row: int, column: int, grid: int) -> Axes:
    """Add axes of one maze, in which a cell is one unit wide."""
    return blank(PANELS.add(figure, row, column), grid, grid)


def _draw_maze(axes: Axes, frames: Tensor, place: Tensor, grid: int, until: int) -> None:
    picture = shaded(overlay(frames.float(), place, grid, until), place[:until], grid)
    axes.imshow(picture, extent=(0, grid, grid, 0), interpolation="nearest", gid="overlay")
    _draw_walls(axes, grid, "white")


def shaded(picture: Tensor, place: Tensor, grid: int) -> NDArray[np.float32]:
    """Colour unvisited cells grey, to distinguish them from black.

    Args:
        picture: [grid * H, grid * W, 3].
        place: [t], row * grid + column, of the visited cells.
        grid: rows, and columns, of the maze.
    """
    visited = torch.zeros(grid * grid, dtype=torch.bool)
    visited[place] = True
    mask = visited.view(grid, grid)
    for axis in (0, 1):
        mask = mask.repeat_interleave(picture.shape[axis] // grid, axis)
    grounded = picture.nan_to_num(0).clamp(0, 1).where(mask.unsqueeze(2), torch.tensor(UNSEEN))
    return grounded.numpy(force=True)


def _draw_walls(axes: Axes, grid: int, colour: str) -> None:
    for line in range(1, grid):
        axes.axhline(line, color=colour, lw=0.7)
        axes.axvline(line, color=colour, lw=0.7)


def _draw_moves(axes: Axes, place: Tensor, grid: int, until: int) -> None:
    axes.fill_between([0, grid], 0, grid, color=GROUND, lw=0)
    _draw_walls(axes, grid, QUIET)
    for start, end in last_moves(place, until):
        axes.add_patch(_arrow(divmod(start, grid), divmod(end, grid)))
    row, column = divmod(int(place[until - 1]), grid)
    axes.plot(column + 0.5, row + 0.5, "o", color="white", ms=4, gid="walker")


def _arrow(start: tuple[int, int], end: tuple[int, int]) -> FancyArrowPatch:
    """Return an arrow between two cells (row, column), curved so that opposite moves differ."""
    tail, tip = ((column + 0.5, row + 0.5) for row, column in (start, end))
    return FancyArrowPatch(
        tail,
        tip,
        connectionstyle="arc3,rad=0.25",
        arrowstyle="-|>,head_length=3.2,head_width=2",
        shrinkA=2.5,
        shrinkB=2.5,
        color=YELLOW,
        lw=1.5,
        gid="move",
    )


def _name_row(figure: Figure, row: int, name: str) -> None:
    width, height = figure.get_size_inches()
    middle = PANELS.bottom(row + 1) - SIDE_INCHES / 2
    figure.text(
        (LABEL_INCHES - 0.12) / width,
        1 - middle / height,
        name,
        size=9,
        color=INK,
        ha="right",
        va="center",
    )


def _draw_note(figure: Figure) -> None:
    width, height = figure.get_size_inches()
    figure.text(
        LABEL_INCHES / width,
        0.08 / height,
        "First visit of a cell: red. Second: green, so that equal images turn yellow.\n"
        "Latest from the third on: blue, so that they turn white. Grey: not visited yet.",
        size=8,
        color=QUIET,
        va="bottom",
    )
