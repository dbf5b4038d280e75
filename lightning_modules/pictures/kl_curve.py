"""KL divergence at each step: the information in a frame that the memory lacks."""

from collections.abc import Mapping

from matplotlib.figure import Figure
from torch import Tensor

from lightning_modules.pictures.step_axes import (
    draw_curve,
    draw_legend,
    draw_share,
    fit_from_zero,
    is_mixed,
    label_steps,
    step_sheet,
)
from lightning_modules.pictures.style import INK, QUIET


def kl_curve(curves: Mapping[str, Tensor], title: str, subtitle: str, colour: str) -> Figure:
    """Draw the KL of new and recalled steps over the steps of a sequence.

    If only some sequences recall a step, as in mazes, the KL over all of them is drawn, too.

    Args:
        curves: ``Summary.curves``, each [T]: ``kl``, ``kl_new`` and ``kl_recalled`` in nats;
            ``recalled_share`` in [0, 1] is drawn as shaded bars behind them.
        title: bold, in the first line.
        subtitle: in the second line.
        colour: the model's colour.
    """
    figure, axes = step_sheet(title, subtitle)
    share = curves["recalled_share"]
    if is_mixed(share):
        draw_curve(axes, curves["kl"], "all steps", color=QUIET, lw=1.4, ls=":")
    draw_curve(axes, curves["kl_new"], "new steps", color=INK, lw=1.6, ls="--")
    draw_curve(
        axes, curves["kl_recalled"], "recalled steps", color=colour, lw=2.4, marker="o", ms=4
    )
    fit_from_zero(axes)
    draw_share(axes, share, "recalled steps")
    label_steps(axes, len(curves["kl"]), "KL of posterior from prior (nats per step)")
    draw_legend(axes)
    return figure
