"""Error of rendered patches at each step of a sequence, with that of two baselines."""

from collections.abc import Mapping

from matplotlib.figure import Figure
from torch import Tensor

from lightning_modules.pictures.nll_curve import CONTEXTS
from lightning_modules.pictures.step_axes import (
    draw_curve,
    draw_legend,
    draw_share,
    fit_from_zero,
    label_steps,
    step_sheet,
)
from lightning_modules.pictures.style import INK

ERROR = "error (half the squared error of a patch)"
#: Labels and line styles of baselines that ignore the context, by curve.
GUESSES = {
    "patch_error_mean_face": ("mean face, place known", "--"),
    "patch_error_mean_canvas": ("mean canvas", ":"),
}


def patch_error_curve(
    curves: Mapping[str, Tensor], title: str, subtitle: str, colour: str
) -> Figure:
    """Draw the error over the steps of a sequence.

    Args:
        curves: ``Summary.curves``, each [T]: ``patch_error``, ``patch_error_unseen``, those of
            ``GUESSES``, and ``context_share`` in [0, 1] as shaded bars behind them.
        title: bold, in the first line.
        subtitle: in the second line.
        colour: the model's colour.
    """
    figure, axes = step_sheet(title, subtitle)
    style = {"color": colour, "lw": 2.4, "marker": "o", "ms": 4}
    draw_curve(axes, curves["patch_error"], "all patches", **style)
    unseen = "patches that no context shows"
    draw_curve(axes, curves["patch_error_unseen"], unseen, color=colour, lw=1.6, ls="-.")
    for name, (legend, line) in GUESSES.items():
        draw_curve(axes, curves[name], legend, color=INK, lw=1.6, ls=line)
    fit_from_zero(axes)
    draw_share(axes, curves["context_share"], CONTEXTS)
    label_steps(axes, len(curves["patch_error"]), ERROR)
    draw_legend(axes)
    return figure
