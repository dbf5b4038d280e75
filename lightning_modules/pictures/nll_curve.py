"""Target-NLL at each step of a sequence (Yoon et al. 2020, figure 4, top)."""

from collections.abc import Mapping

from matplotlib.figure import Figure
from torch import Tensor

from lightning_modules.pictures.step_axes import (
    draw_curve,
    draw_legend,
    draw_share,
    fit,
    label_steps,
    step_sheet,
)
from lightning_modules.pictures.style import INK

NLL, CONTEXTS = "target-NLL (nats per target)", "steps with a context"
#: Label of the NLL of the oracle that knows the kernels.
OPTIMUM = "optimum (knows the kernels)"
#: Label of the NLL of the oracle that must infer them.
INFERRED = "inference (from contexts alone)"


def nll_curve(curves: Mapping[str, Tensor], title: str, subtitle: str, colour: str) -> Figure:
    """Draw the NLL over the steps of a sequence.

    Args:
        curves: ``Summary.curves``, each [T]: ``nll`` in nats; optionally ``optimal_nll`` (dashed)
            and ``inferred_nll`` (dotted); ``context_share`` in [0, 1] as shaded bars behind.
        title: bold, in the first line.
        subtitle: in the second line.
        colour: the model's colour.
    """
    figure, axes = step_sheet(title, subtitle)
    draw_curve(axes, curves["nll"], "all targets", color=colour, lw=2.4, marker="o", ms=4)
    if "optimal_nll" in curves:
        draw_curve(axes, curves["optimal_nll"], OPTIMUM, color=INK, lw=1.6, ls="--")
    if "inferred_nll" in curves:
        draw_curve(axes, curves["inferred_nll"], INFERRED, color=INK, lw=1.6, ls=":")
    fit(axes)
    draw_share(axes, curves["context_share"], CONTEXTS)
    label_steps(axes, len(curves["nll"]), NLL)
    draw_legend(axes)
    return figure
