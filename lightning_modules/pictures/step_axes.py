"""Axes over the steps of a sequence, or over training time."""

from math import isfinite
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from lightning_modules.pictures.layout import add_axes
from lightning_modules.pictures.style import FAINT, HEADING_INCHES, INK, QUIET, sheet, tidy

#: Size in inches of a sheet with one pair of axes, and of the legend above and labels below.
WIDTH, HEIGHT, LEGEND_INCHES, FOOT_INCHES = 8.0, 4.4, 0.35, 0.528
#: Left edge and width of the axes.
LEFT_INCHES, AXES_INCHES = 0.68, 6.64
#: Longest sequence with a number at every step.
EACH = 12


def step_sheet(title: str, subtitle: str) -> tuple[Figure, Axes]:
    """Return a sheet with headings, and axes that leave room for a legend."""
    figure = sheet(WIDTH, HEIGHT, title, subtitle)
    top = HEADING_INCHES + LEGEND_INCHES
    height = HEIGHT - top - FOOT_INCHES
    return figure, add_axes(figure, LEFT_INCHES, top, AXES_INCHES, height)


def draw_curve(axes: Axes, curve: Tensor, name: str, **style: Any) -> None:
    """Draw a line over steps 1 to T, with gaps at NaN."""
    steps = torch.arange(1, len(curve) + 1)
    axes.plot(steps.numpy(), curve.float().numpy(force=True), label=name, gid=name, **style)


def is_mixed(share: Tensor) -> bool:
    """Return whether a share [T] is strictly between 0 and 1 at any step."""
    return bool(((share > 0) & (share < 1)).any())


def draw_share(axes: Axes, share: Tensor, name: str) -> None:
    """Shade steps by a share of sequences, [T]; mixed shares also get a scale."""
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
    """Number the steps from 1 to T, and label the y axis."""
    axes.set_xlim(0.5, steps + 0.5)
    axes.set_xlabel("step t", size=9, color=INK)
    axes.set_ylabel(name, size=9, color=INK)
    axes.set_xticks(range(1, steps + 1) if steps <= EACH else [1, *range(5, steps + 1, 5)])
    tidy(axes)


def label_seconds(axes: Axes, name: str) -> None:
    """Label the x axis as training time, and the y axis by name."""
    axes.set_xlim(left=0)
    axes.set_xlabel("training time (wall-clock seconds)", size=9, color=INK)
    axes.set_ylabel(name, size=9, color=INK)
    tidy(axes)


def label_training_steps(axes: Axes, name: str) -> None:
    """Label the x axis as training steps, and the y axis by name."""
    axes.set_xlim(left=0)
    axes.set_xlabel("training steps", size=9, color=INK)
    axes.set_ylabel(name, size=9, color=INK)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter("{x:,.0f}")
    tidy(axes)


def fit_from_zero(axes: Axes) -> None:
    """Scale the y axis from zero, for quantities that are never negative."""
    highest = axes.dataLim.y1
    # A diverged run has no finite values; its picture stays empty.
    axes.set_ylim(0, 1.08 * highest if isfinite(highest) and highest > 0 else 1)


def fit(axes: Axes) -> None:
    """Scale the y axis to the data, with a margin."""
    low, high = axes.dataLim.y0, axes.dataLim.y1
    if isfinite(low) and isfinite(high):
        margin = 0.06 * (high - low) or 0.5
        axes.set_ylim(low - margin, high + margin)
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))


def draw_legend(axes: Axes) -> None:
    """Add a legend above the axes, at the right."""
    axes.legend(
        loc="lower right",
        bbox_to_anchor=(1, 1),
        ncols=3,
        fontsize=9,
        frameon=False,
        handlelength=2.6,
        borderpad=0,
    )
