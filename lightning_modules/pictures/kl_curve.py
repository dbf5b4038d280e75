"""KL divergence of each step: what the model had to be told that its memory did not know."""

from collections.abc import Mapping
from math import isfinite
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from lightning_modules.pictures.style import FAINT, HEADING_INCHES, INK, QUIET, sheet, tidy

WIDTH, HEIGHT = 8.0, 4.4


def kl_curve(curves: Mapping[str, Tensor], title: str, subtitle: str, colour: str) -> Figure:
    """Draw the KL of new and recalled steps over the steps of a sequence.

    Where some sequences recall a step that others do not, as in mazes, also that of all.

    Args:
        curves: ``Summary.curves``, each [T]: ``kl``, ``kl_new`` and ``kl_recalled`` in nats;
            ``recalled_share`` in [0, 1] is drawn as shaded bars behind them.
        title: bold, in the first line.
        subtitle: in the second line.
        colour: of the model.
    """
    figure = sheet(WIDTH, HEIGHT, title, subtitle)
    top = 1 - (HEADING_INCHES + 0.35) / HEIGHT
    axes = figure.add_axes((0.085, 0.12, 0.83, top - 0.12))
    share = curves["recalled_share"]
    if is_mixed(share):
        _draw_curve(axes, curves["kl"], "all steps", color=QUIET, lw=1.4, ls=":")
    _draw_curve(axes, curves["kl_new"], "new steps", color=INK, lw=1.6, ls="--")
    _draw_curve(
        axes, curves["kl_recalled"], "recalled steps", color=colour, lw=2.4, marker="o", ms=4
    )
    draw_share(axes, share)
    label_steps(axes, len(curves["kl"]))
    _draw_legend(axes)
    return figure


def _draw_curve(axes: Axes, curve: Tensor, name: str, **style: Any) -> None:
    """Draw a line over steps 1 to T; where there are no such steps (NaN) it has a gap."""
    steps = torch.arange(1, len(curve) + 1)
    axes.plot(steps.numpy(), curve.float().numpy(force=True), label=name, gid=name, **style)


def is_mixed(share: Tensor) -> bool:
    """Whether some sequences recall a step that others do not, share [T] in [0, 1]."""
    return bool(((share > 0) & (share < 1)).any())


def draw_share(axes: Axes, share: Tensor) -> None:
    """Shade recalled steps by the share of sequences, [T]; if that is 0 or 1, without a scale."""
    mixed = is_mixed(share)
    behind = axes.twinx()
    axes.set_zorder(behind.get_zorder() + 1)
    axes.patch.set_visible(False)
    steps = range(1, len(share) + 1)
    behind.bar(steps, 100 * share.float().numpy(force=True), width=1, color=FAINT, alpha=0.55, lw=0)
    behind.set_ylim(0, 100)
    unit = "% of sequences, shaded" if mixed else "shaded"
    behind.set_ylabel(f"recalled steps ({unit})", size=9, color=QUIET)
    tidy(behind)
    if not mixed:
        behind.set_yticks([])
    behind.spines["left"].set_visible(False)


def label_steps(axes: Axes, steps: int) -> None:
    """Name the axes and fit them to what has been drawn over steps 1 to T."""
    axes.set_xlim(0.5, steps + 0.5)
    highest = axes.dataLim.y1
    # A run that diverged has no finite KL; its picture stays empty.
    axes.set_ylim(0, 1.08 * highest if isfinite(highest) and highest > 0 else 1)
    axes.set_xlabel("step t", size=9, color=INK)
    axes.set_ylabel("KL of posterior from prior (nats per step)", size=9, color=INK)
    axes.set_xticks([1, *range(5, steps + 1, 5)])
    tidy(axes)


def _draw_legend(axes: Axes) -> None:
    axes.legend(
        loc="lower right",
        bbox_to_anchor=(1, 1),
        ncols=3,
        fontsize=9,
        frameon=False,
        handlelength=2.6,
        borderpad=0,
    )
