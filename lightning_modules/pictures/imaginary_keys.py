"""Imaginary keys of an RMR on the canvas of a moving picture (Yoon et al. 2020, figure 8)."""

from math import ceil
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from torch import Tensor

from lightning_modules.pictures.chosen_steps import spread
from lightning_modules.pictures.layout import Panels
from lightning_modules.pictures.style import (
    HEADING_INCHES,
    INK,
    QUIET,
    blank,
    legend_below,
    pixels,
    sheet,
)

MOST_STEPS, COLUMNS = 10, 5
MARGIN_INCHES, FOOT_INCHES = 0.14, 0.58
PANELS = Panels(left=MARGIN_INCHES, top=HEADING_INCHES + 0.28, size=(1.8, 1.8), gaps=(0.22, 0.5))
#: Half the width of a panel; the canvas spans -1 to 1, but keys may lie anywhere.
REACH = 1.4
#: Length in steps of the trails of keys and picture.
TAIL = 5
#: Share of white in the picture behind the keys.
PALE = 0.6


def imaginary_keys(
    keys: Tensor, centres: Tensor, images: Tensor, title: str, subtitle: str, colour: str
) -> Figure:
    """Draw the keys and the picture on the canvas of some steps, with their recent paths.

    Args:
        keys: [T, K, 2], row and column from -1 to 1 on the canvas.
        centres: [T, 2], row and column of the picture's centre.
        images: [T, C, H, W] in [0, 1], the canvas.
        title: bold, in the first line.
        subtitle: in the second line.
        colour: the core's colour.
    """
    steps = spread(torch.arange(len(keys)), MOST_STEPS)
    width = PANELS.right(COLUMNS) + MARGIN_INCHES
    height = PANELS.bottom(ceil(len(steps) / COLUMNS)) + FOOT_INCHES
    figure = sheet(width, height, title, subtitle)
    for panel, step in enumerate(steps):
        axes = blank(PANELS.add(figure, *divmod(panel, COLUMNS)), 1, 1)
        _draw_canvas(axes, images[step])
        recent = slice(max(0, step - TAIL), step + 1)
        _draw_path(axes, centres[recent])
        _draw_keys(axes, keys[recent], colour)
        axes.set(xlim=(-REACH, REACH), ylim=(REACH, -REACH))
        axes.set_title(_head(keys[step], step), size=9, color=INK, pad=6)
    legend_below(figure, _key(colour), columns=4)
    return figure


def _draw_canvas(axes: Axes, image: Tensor) -> None:
    """Draw the true image [C, H, W], pale."""
    # The centres of the outermost pixels are at 1, their edges half a pixel further out.
    half = 1 + 1 / (image.shape[-1] - 1)
    pale = 1 - (1 - PALE) * (1 - pixels(image.unsqueeze(0))[0])
    axes.imshow(pale, extent=(-half, half, half, -half), interpolation="nearest", gid="truth")
    square = [-half, half, half, -half, -half], [-half, -half, half, half, -half]
    axes.plot(*square, color=QUIET, lw=0.8, gid="canvas")


def _draw_path(axes: Axes, centres: Tensor) -> None:
    """Draw the path of the picture's centre, [t, 2]."""
    rows, columns = centres.unbind(1)
    axes.plot(columns.numpy(), rows.numpy(), color=INK, lw=1, alpha=0.55, gid="path")
    axes.plot(columns[-1:].numpy(), rows[-1:].numpy(), "+", color=INK, ms=9, mew=1.8, gid="centre")


def _draw_keys(axes: Axes, keys: Tensor, colour: str) -> None:
    """Draw the recent paths of keys, [t, K, 2], as tails that end in dots."""
    rows, columns = keys.unbind(2)
    axes.plot(columns.numpy(), rows.numpy(), color=colour, lw=0.9, alpha=0.5, gid="tail")
    outside = is_beyond(keys[-1])
    for selected, name in ((~outside, "keys"), (outside, "keys beyond")):
        rows, columns = keys[-1][selected].clamp(-REACH, REACH).unbind(1)
        style = _dot(colour, inside=name == "keys")
        axes.plot(columns.numpy(), rows.numpy(), ls="", clip_on=False, gid=name, **style)


def is_beyond(keys: Tensor) -> Tensor:
    """Return which keys [K, 2] are outside the panel, [K] bool."""
    return (keys.abs() > REACH).any(1)


def _dot(colour: str, inside: bool) -> dict[str, Any]:
    """Return a dot's style: filled in the panel, hollow at its edge for keys further out."""
    fill, edge, width = (colour, "white", 0.4) if inside else ("white", colour, 1)
    return {"marker": "o", "mfc": fill, "mec": edge, "mew": width, "ms": 4.4}


def _head(keys: Tensor, step: int) -> str:
    """Name the step, and count the keys beyond the panel."""
    beyond = int(is_beyond(keys).sum())
    return f"t = {step + 1}" + (f", {beyond} beyond" if beyond else "")


def _key(colour: str) -> dict[str, Line2D]:
    inside, outside = (_dot(colour, inside=where) for where in (True, False))
    return {
        f"imaginary keys, and their last {TAIL} steps": Line2D([], [], color=colour, **inside),
        "farther out in this direction": Line2D([], [], ls="", **outside),
        "centre of the picture, and its track": Line2D([], [], color=INK, lw=1, marker="+", ms=8),
        "canvas": Line2D([], [], color=QUIET, lw=0.8),
    }
