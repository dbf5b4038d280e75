"""Sequences frame by frame: the truth, its reconstruction, and generations after a prefix.

The rows of figures 19 to 28 of Gemici et al. 2017, of one model or of several. Long sequences run
over several lines.
"""

from collections.abc import Mapping, Sequence
from math import ceil
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from torch import Tensor

from lightning_modules.pictures.layout import add_axes
from lightning_modules.pictures.style import (
    HEADING_INCHES,
    INK,
    QUIET,
    SKY,
    VERMILION,
    blank,
    pixels,
    sheet,
)

MOST_COLUMNS, LEAST_COLUMNS = 30, 15

# Lengths in columns. A frame is SIDE wide and high; rows of frames are ROW apart if recalled frames
# are labelled, else 1. HEAD is the height of the step numbers, MOVE of the moves, CAPTION of the
# labels at the prefix; LINE_GAP follows each line, SEQUENCE_GAP each sequence.
SIDE, ROW, LABEL, MARGIN = 0.88, 1.42, 3.1, 1.05
HEAD, MOVE, CAPTION, LINE_GAP, SEQUENCE_GAP = 0.55, 0.45, 0.35, 0.2, 0.6
COLUMN_INCHES, LEGEND_LINE_INCHES = 0.352, 0.19


class Generation(NamedTuple):
    """One sequence of T frames [T, C, H, W] in [0, 1], with its reconstruction and generation."""

    truth: Tensor
    reconstruction: Tensor
    generated: Tensor  #: reconstructed up to the prefix, from the prior after it
    recalled_from: Tensor  #: [T], the earlier step that holds the answer; -1 if none
    prefix: int  #: true frames before the generated ones, 1 to T - 1
    old_age: int  #: age in steps from which an answer is marked as old
    moves: Sequence[str] | None = None  #: T arrows, the move into each frame; None without moves


class Row(NamedTuple):
    """Named row of one sequence's frames."""

    frames: Tensor  #: [T, C, H, W] in [0, 1]
    colour: str  #: colour of the name


class Recall(NamedTuple):
    """A frame whose answer an earlier step holds; steps count from 0, labels from 1."""

    step: int
    answer: int  #: the step that holds it
    old: bool  #: whether the answer is old

    @property
    def colour(self) -> str:
        """Colour of the border: vermilion if the answer is old, else sky blue."""
        return VERMILION if self.old else SKY


class Line(NamedTuple):
    """Consecutive steps of a sequence, drawn side by side in every row."""

    generation: Generation
    rows: Mapping[str, Row]
    steps: range

    @property
    def recalls(self) -> list[Recall]:
        """Frames of this line that can be recalled."""
        return [r for r in recalls(self.generation) if r.step in self.steps]

    @property
    def head(self) -> float:
        """Height above the first row of frames."""
        return HEAD + (MOVE if self.generation.moves is not None else 0)

    @property
    def bottom(self) -> float:
        """Lower end of the last row and its labels."""
        return self.head + len(self.rows) * self.row

    @property
    def row(self) -> float:
        """Height of a row of frames, with its labels."""
        return ROW if self.recalls else 1

    @property
    def divided(self) -> bool:
        """Whether the line contains the first generated frame."""
        return self.generation.prefix in self.steps

    @property
    def height(self) -> float:
        """Height of the line with the gap below it."""
        last = self.steps.stop == len(self.generation.truth)
        return self.bottom + CAPTION * self.divided + (SEQUENCE_GAP if last else LINE_GAP)


def recalls(generation: Generation) -> list[Recall]:
    """List all frames of a sequence whose answer an earlier step holds."""
    return [
        Recall(t, answer, old=t - answer >= generation.old_age)
        for t, answer in enumerate(generation.recalled_from.tolist())
        if answer >= 0
    ]


def lines_of(generation: Generation, rows: Mapping[str, Row]) -> list[Line]:
    """Divide a sequence into as few lines as possible, of about equal length."""
    steps = len(generation.truth)
    columns = ceil(steps / ceil(steps / MOST_COLUMNS))
    starts = range(0, steps, columns)
    return [Line(generation, rows, range(start, min(start + columns, steps))) for start in starts]


def generation_grid(
    generations: Sequence[Generation], title: str, subtitle: str, colour: str
) -> Figure:
    """Draw three rows per line; recallable frames have a border and the answer's step.

    Args:
        generations: sequences of one benchmark, of equal length.
        title: bold, in the first line.
        subtitle: in the second line.
        colour: the model's colour, for the names of its rows.
    """
    lines = []
    for generation in generations:
        rows = {
            "truth": Row(generation.truth, INK),
            "reconstruction": Row(generation.reconstruction, colour),
            "generated": Row(generation.generated, colour),
        }
        lines += lines_of(generation, rows)
    return _drawn(lines, title, subtitle)


def model_rows(
    first: Generation, generated: Mapping[str, Row], title: str, subtitle: str
) -> Figure:
    """Draw one sequence: the truth, and below it each model's generation.

    Args:
        first: the sequence; all models start from the same prefix.
        generated: a row for each model, by its name.
        title: bold, in the first line.
        subtitle: in the second line.
    """
    rows = {"truth": Row(first.truth, INK), **generated}
    return _drawn(lines_of(first, rows), title, subtitle)


def _drawn(lines: Sequence[Line], title: str, subtitle: str) -> Figure:
    columns = LABEL + max(LEAST_COLUMNS, *(len(line.steps) for line in lines)) + MARGIN
    key = _key(lines)
    body = sum(line.height for line in lines) * COLUMN_INCHES
    foot = len(key) * LEGEND_LINE_INCHES + 0.1
    figure = sheet(columns * COLUMN_INCHES, HEADING_INCHES + body + foot, title, subtitle)
    top = HEADING_INCHES
    for line in lines:
        _draw_line(_axes_of(figure, line, top, columns), line)
        top += line.height * COLUMN_INCHES
    _draw_key(figure, key)
    return figure


def _axes_of(figure: Figure, line: Line, top: float, columns: float) -> Axes:
    """Add axes of a line in columns; ``top`` is in inches from the figure's upper edge."""
    axes = add_axes(figure, 0, top, figure.get_figwidth(), line.height * COLUMN_INCHES)
    return blank(axes, columns, line.height)


def _draw_line(axes: Axes, line: Line) -> None:
    _draw_head(axes, line)
    for row, (name, drawn) in enumerate(line.rows.items()):
        top = line.head + row * line.row
        _name(axes, top + SIDE / 2, name, 9, drawn.colour)
        _draw_frames(axes, drawn.frames[line.steps.start : line.steps.stop], top)
        for recall in line.recalls:
            _mark(axes, recall, recall.step - line.steps.start, top, row)
    if line.divided:
        _draw_boundary(axes, line)


def _draw_head(axes: Axes, line: Line) -> None:
    """Number the steps from 1, with the move into each where there are moves."""
    _name(axes, 0.25, "t", 8, QUIET)
    for column, t in enumerate(line.steps):
        _centre(axes, column, 0.25, f"{t + 1}", 8, QUIET)
    if line.generation.moves is None:
        return
    _name(axes, 0.68, "move", 8, QUIET)
    for column, t in enumerate(line.steps):
        _centre(axes, column, 0.68, line.generation.moves[t], 9, INK)


def _centre(axes: Axes, column: int, y: float, text: str, size: int, colour: str) -> None:
    x = LABEL + column + SIDE / 2
    axes.text(x, y, text, size=size, color=colour, ha="center", va="center")


def _name(axes: Axes, y: float, name: str, size: int, colour: str) -> None:
    axes.text(LABEL - 0.25, y, name, size=size, color=colour, ha="right", va="center")


def _draw_frames(axes: Axes, frames: Tensor, top: float) -> None:
    limits = axes.get_xlim(), axes.get_ylim()
    for column, frame in enumerate(pixels(frames)):
        extent = (LABEL + column, LABEL + column + SIDE, top + SIDE, top)
        axes.imshow(frame, extent=extent, interpolation="nearest", aspect="auto", gid="frame")
    axes.set(xlim=limits[0], ylim=limits[1])


def _mark(axes: Axes, recall: Recall, column: int, top: float, row: int) -> None:
    border = Rectangle((LABEL + column, top), SIDE, SIDE, fill=False, ec=recall.colour, lw=2.2)
    border.set_gid(f"recalled row {row} step {recall.step}")
    axes.add_patch(border)
    _centre(axes, column, top + SIDE + 0.25, f"t={recall.answer + 1}", 7, INK)


def _draw_boundary(axes: Axes, line: Line) -> None:
    """Draw the line between prefix and generated frames, through all rows."""
    before = line.generation.prefix - line.steps.start
    x, y = LABEL + before - (1 - SIDE) / 2, line.bottom + CAPTION / 2
    axes.plot([x, x], [0.05, line.bottom + CAPTION], color=INK, lw=1.8, gid="prefix")
    axes.text(x + 0.2, y, "generated", size=8, color=INK, ha="left", va="center")
    if before:
        axes.text(x - 0.2, y, "given", size=8, color=INK, ha="right", va="center")


def _key(lines: Sequence[Line]) -> dict[str, Line2D | Rectangle]:
    """Return legend entries for the line at the prefix and the borders in use."""
    first = lines[0].generation
    moves = " and the moves" if first.moves is not None else ""
    boundary = f"generated rows: given up to this line, from the prior{moves} after it"
    key: dict[str, Line2D | Rectangle] = {
        boundary: Line2D([], [], marker="|", ms=11, mew=1.8, ls="", color=INK)
    }
    used = {recall.colour for line in lines for recall in line.recalls}
    ages = f"fewer than {first.old_age}", f"{first.old_age} or more"
    for colour, age in zip((SKY, VERMILION), ages, strict=True):
        if colour in used:
            text = f"the step named under it holds the answer, {age} steps earlier"
            key[text] = Rectangle((0, 0), 1, 1, fill=False, ec=colour, lw=2.2)
    return key


def _draw_key(figure: Figure, key: dict[str, Line2D | Rectangle]) -> None:
    width, height = figure.get_size_inches()
    figure.legend(
        list(key.values()),
        list(key),
        loc="lower left",
        bbox_to_anchor=(LABEL * COLUMN_INCHES / width, 0.04 / height),
        fontsize=8,
        frameon=False,
        handlelength=1,
        handleheight=1,
        borderpad=0,
        borderaxespad=0,
        labelspacing=0.45,
    )
