"""Imaginary keys of an RMR for functions of one variable, step by step."""

from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from lightning_modules.pictures.layout import add_axes
from lightning_modules.pictures.predicted_functions import PredictedFunctions
from lightning_modules.pictures.step_axes import LEFT_INCHES, fit, label_steps
from lightning_modules.pictures.style import HEADING_INCHES, INK, QUIET, legend_below, sheet

WIDTH, HEIGHT, FOOT_INCHES, AXES_INCHES = 8.0, 4.6, 0.82, 7.16
#: Style of a context point, drawn behind the keys.
DOT: dict[str, Any] = {"marker": "o", "mfc": INK, "mec": "none", "ms": 3.2, "alpha": 0.45}


def key_tracks(
    keys: Tensor, prediction: PredictedFunctions, title: str, subtitle: str, colour: str
) -> Figure:
    """Draw a line for each key, and the context points of each step.

    Args:
        keys: [T, K, 1], places of the memory cells.
        prediction: the sequence.
        title: bold, in the first line.
        subtitle: in the second line.
        colour: the core's colour.
    """
    figure = sheet(WIDTH, HEIGHT, title, subtitle)
    height = HEIGHT - HEADING_INCHES - FOOT_INCHES
    axes = add_axes(figure, LEFT_INCHES, HEADING_INCHES, AXES_INCHES, height)
    steps = range(1, len(keys) + 1)
    for cell, track in enumerate(keys.squeeze(-1).unbind(1), 1):
        axes.plot(steps, track.numpy(), color=colour, lw=1.1, alpha=0.8, gid=f"key {cell}")
    _draw_contexts(axes, prediction)
    for end in (-prediction.x_range, prediction.x_range):
        axes.axhline(end, color=QUIET, lw=0.9, ls="--", gid="end")
    fit(axes)
    axes.yaxis.set_major_locator(MaxNLocator(7, integer=True, steps=[1, 2, 5, 10]))
    label_steps(axes, len(keys), "place x (no unit)")
    legend_below(figure, _key(colour), columns=3)
    return figure


def _draw_contexts(axes: Axes, prediction: PredictedFunctions) -> None:
    steps, points = prediction.context_mask.nonzero().unbind(1)
    places = prediction.context_x[steps, points, 0]
    times = torch.add(steps, 1)
    axes.plot(times.numpy(), places.numpy(), ls="", zorder=1, gid="contexts", **DOT)


def _key(colour: str) -> dict[str, Line2D]:
    return {
        "imaginary keys": Line2D([], [], color=colour, lw=1.1),
        "context points": Line2D([], [], ls="", **DOT),
        "ends of the grid": Line2D([], [], color=QUIET, lw=0.9, ls="--"),
    }
