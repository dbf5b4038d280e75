"""Axes over the steps of a sequence, or over the time of training."""

from math import isfinite
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from lightning_modules.pictures.layout import add_axes
from lightning_modules.pictures.style import FAINT, HEADING_INCHES, INK, QUIET, sheet, tidy

#: Inches of a sheet with one curve over the steps, the legend above it and the labels below it.
WIDTH, HEIGHT, LEGEND_INCHES, FOOT_INCHES = 8.0, 4.4, 0.35, 0.528
#: Where the axes begin, and how wide they are.
LEFT_INCHES, AXES_INCHES = 0.68, 6.64
#: Most steps that are all numbered.
EACH = 12


def step_sheet(title: str, subtitle: str) -> tuple[Figure, Axes]:
    """Return a sheet with its headings, and the axes below them and a legend."""
    figure = sheet(WIDTH, HEIGHT, title, subtitle)
    top = HEADING_INCHES + LEGEND_INCHES
    height = HEIGHT - top - FOOT_INCHES
    return figure, add_axes(figure, LEFT_INCHES, top, AXES_INCHES, height)


def draw_curve(axes: Axes, curve: Tensor, name: str, **style: Any) -> None:
    """Draw a line over steps 1 to T; where there are no such steps (NaN) it has a gap."""
    steps = torch.arange(1, len(curve) + 1)
    axes.plot(steps.numpy(), curve.float().numpy(force=True), label=name, gid=name, **style)


def is_mixed(share: Tensor) -> bool:
    """Tell whether a share [T] holds at some step for some sequences, but not for all."""
    return bool(((share > 0) & (share < 1)).any())


def draw_share(axes: Axes, share: Tensor, name: str) -> None:
    """Shade steps by a share of sequences, [T], with a scale if it is ever between 0 and 1."""
    mixed = is_mixed(share)
    behind = axes.twinx()
    axes.set_zorder(behind.get_zorder() + 1)
    axes.patch.set_visible(False)
    steps = range(1, len(share) + 1)
    behind.bar(steps, 100 * share.float().numpy(force=True), width=1, color=FAINT, alpha=0.55, lw=0)
    behind.set_ylim(0, 100)
    unit = "% of sequences, shaded" if mixed else "shaded"
    behind.set_ylabel(f"{name} ({unit})", size=9, color=QUIET)
    tidy(behind)
    if not mixed:
        behind.set_yticks([])
    behind.spines["left"].set_visible(False)


def label_steps(axes: Axes, steps: int, name: str) -> None:
    """Number the steps from 1 to T, and name the other axis."""
    axes.set_xlim(0.5, steps + 0.5)
    axes.set_xlabel("step t", size=9, color=INK)
    axes.set_ylabel(name, size=9, color=INK)
    axes.set_xticks(range(1, steps + 1) if steps <= EACH else [1, *range(5, steps + 1, 5)])
    tidy(axes)


def label_seconds(axes: Axes, name: str) -> None:
    """Let the first axis be the time of training, and name the other one."""
    axes.set_xlim(left=0)
    axes.set_xlabel("training time (wall-clock seconds)", size=9, color=INK)
    axes.set_ylabel(name, size=9, color=INK)
    tidy(axes)


def label_training_steps(axes: Axes, name: str) -> None:
    """Let the first axis be the steps of training, and name the other one."""
    axes.set_xlim(left=0)
    axes.set_xlabel("training steps", size=9, color=INK)
    axes.set_ylabel(name, size=9, color=INK)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter("{x:,.0f}")
    tidy(axes)


def fit_from_zero(axes: Axes) -> None:
    """Scale from zero to above what has been drawn, for quantities that are never negative."""
    highest = axes.dataLim.y1
    # A run that diverged has nothing finite to show; its picture stays empty.
    axes.set_ylim(0, 1.08 * highest if isfinite(highest) and highest > 0 else 1)


def fit(axes: Axes) -> None:
    """Scale from below to above what has been drawn."""
    low, high = axes.dataLim.y0, axes.dataLim.y1
    if isfinite(low) and isfinite(high):
        margin = 0.06 * (high - low) or 0.5
        axes.set_ylim(low - margin, high + margin)
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))


def draw_legend(axes: Axes) -> None:
    """Name the lines above the axes, at the right."""
    axes.legend(
        loc="lower right",
        bbox_to_anchor=(1, 1),
        ncols=3,
        fontsize=9,
        frameon=False,
        handlelength=2.6,
        borderpad=0,
    )
