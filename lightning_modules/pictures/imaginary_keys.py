"""Where an RMR imagines pixels while a picture moves (Yoon et al. 2020, figure 8)."""

from math import ceil
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from torch import Tensor

from datamodules.points.canvas.canvas import canvas_images
from lightning_modules.neural_processes.predictions import Prediction
from lightning_modules.pictures.chosen_steps import spread
from lightning_modules.pictures.style import (
    HEADING_INCHES,
    INK,
    QUIET,
    blank_axes,
    legend_below,
    pixels,
    sheet,
)

PANELS, COLUMNS = 10, 5
SIDE_INCHES, GAP_INCHES, HEAD_INCHES, FOOT_INCHES = 1.8, 0.22, 0.28, 0.36
MARGIN_INCHES = 0.14
#: How far a panel reaches; the canvas goes from -1 to 1, and keys anywhere.
REACH = 1.4
#: Steps over which keys and the picture are followed back.
TAIL = 5
#: Of the picture below its keys, towards white.
PALE = 0.6


def imaginary_keys(
    keys: Tensor, prediction: Prediction, title: str, subtitle: str, colour: str
) -> Figure:
    """Draw the keys on the canvas of some steps, and the picture, both with the last steps' path.

    Args:
        keys: [T, K, 2], row and column from -1 to 1 on the canvas.
        prediction: of the same sequence of images.
        title: bold, in the first line.
        subtitle: in the second line.
        colour: of the core.
    """
    steps = spread(torch.arange(len(keys)), PANELS)
    rows = ceil(len(steps) / COLUMNS)
    pitch = SIDE_INCHES + GAP_INCHES
    width = 2 * MARGIN_INCHES + COLUMNS * pitch - GAP_INCHES
    height = HEADING_INCHES + rows * (pitch + HEAD_INCHES) + FOOT_INCHES
    figure = sheet(width, height, title, subtitle)
    for panel, step in enumerate(steps):
        axes = _add_panel(figure, *divmod(panel, COLUMNS))
        _draw_canvas(axes, prediction, step)
        recent = slice(max(0, step - TAIL), step + 1)
        _draw_path(axes, prediction.sequence.task[recent])
        _draw_keys(axes, keys[recent], colour)
        axes.set(xlim=(-REACH, REACH), ylim=(REACH, -REACH))
        axes.set_title(_head(keys[step], step), size=9, color=INK, pad=6)
    legend_below(figure, _key(colour), columns=4)
    return figure


def _add_panel(figure: Figure, row: int, column: int) -> Axes:
    width, height = figure.get_size_inches()
    left = MARGIN_INCHES + column * (SIDE_INCHES + GAP_INCHES)
    down = (row + 1) * (SIDE_INCHES + GAP_INCHES + HEAD_INCHES) - GAP_INCHES
    bottom = height - HEADING_INCHES - down
    box = (left / width, bottom / height, SIDE_INCHES / width, SIDE_INCHES / height)
    return blank_axes(figure, box, 1, 1)


def _draw_canvas(axes: Axes, prediction: Prediction, step: int) -> None:
    """The true image, pale, if all its pixels are known; the outermost ones' centres are at 1."""
    half = 1.0
    if prediction.whole:
        image = canvas_images(prediction.sequence.target_y[step : step + 1])
        half += 1 / (image.shape[-1] - 1)
        pale = 1 - (1 - PALE) * (1 - pixels(image)[0])
        axes.imshow(pale, extent=(-half, half, half, -half), interpolation="nearest", gid="truth")
    square = [-half, half, half, -half, -half], [-half, -half, half, half, -half]
    axes.plot(*square, color=QUIET, lw=0.8, gid="canvas")


def _draw_path(axes: Axes, centres: Tensor) -> None:
    """The picture's centre in the last steps, [t, 2]."""
    rows, columns = centres.unbind(1)
    axes.plot(columns.numpy(), rows.numpy(), color=INK, lw=1, alpha=0.55, gid="path")
    axes.plot(columns[-1:].numpy(), rows[-1:].numpy(), "+", color=INK, ms=9, mew=1.8, gid="centre")


def _draw_keys(axes: Axes, keys: Tensor, colour: str) -> None:
    """Keys of the last steps, [t, K, 2]; those of the last one are dots, at the ends of tails."""
    rows, columns = keys.unbind(2)
    axes.plot(columns.numpy(), rows.numpy(), color=colour, lw=0.9, alpha=0.5, gid="tail")
    outside = is_beyond(keys[-1])
    for chosen, name in ((~outside, "keys"), (outside, "keys beyond")):
        rows, columns = keys[-1][chosen].clamp(-REACH, REACH).unbind(1)
        style = _dot(colour, inside=name == "keys")
        axes.plot(columns.numpy(), rows.numpy(), ls="", clip_on=False, gid=name, **style)


def is_beyond(keys: Tensor) -> Tensor:
    """Which keys [K, 2] are outside the panel, [K] bool."""
    return (keys.abs() > REACH).any(1)


def _dot(colour: str, inside: bool) -> dict[str, Any]:
    """Filled within the panel, hollow at its edge for what is farther out."""
    fill, edge, width = (colour, "white", 0.4) if inside else ("white", colour, 1)
    return {"marker": "o", "mfc": fill, "mec": edge, "mew": width, "ms": 4.4}


def _head(keys: Tensor, step: int) -> str:
    """The step, and how many keys are beyond the panel."""
    beyond = int(is_beyond(keys).sum())
    return f"t = {step + 1}" + (f", {beyond} beyond" if beyond else "")


def _key(colour: str) -> dict[str, Line2D]:
    inside, outside = (_dot(colour, inside=where) for where in (True, False))
    return {
        f"imaginary keys, and their last {TAIL} steps": Line2D([], [], color=colour, **inside),
        "farther out in this direction": Line2D([], [], ls="", **outside),
        "centre of the picture, likewise": Line2D([], [], color=INK, lw=1, marker="+", ms=8),
        "canvas": Line2D([], [], color=QUIET, lw=0.8),
    }
