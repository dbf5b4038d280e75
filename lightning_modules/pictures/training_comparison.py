"""Validations of several models during training, with a panel for each measure.

The left and middle panels of figures 4 to 14 of Gemici et al. 2017, over training steps; the lower
row of figure 4 of Yoon et al. 2020, over seconds.
"""

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.figure import Figure

from lightning_modules.pictures.curve_comparison import (
    LEGEND_ROW_INCHES,
    ModelCurve,
    draw_model,
    legend_columns,
    name_models,
)
from lightning_modules.pictures.layout import Panels
from lightning_modules.pictures.step_axes import (
    fit,
    fit_from_zero,
    label_seconds,
    label_training_steps,
)
from lightning_modules.pictures.style import HEADING_INCHES, sheet

HEIGHT_INCHES, FOOT_INCHES, RIGHT_INCHES, LEGEND_GAP_INCHES = 3.3, 0.525, 0.2, 0.1
LEFT_INCHES, GAP_INCHES = 0.82, 0.92
#: Width of a panel, by the number of panels.
WIDTHS = {1: 6.98, 2: 3.9}


class MeasureInTraining(NamedTuple):
    """A panel: one measure of all models."""

    label: str  #: with its unit
    from_zero: bool  #: whether the measure is never negative
    curves: Sequence[ModelCurve]  #: each with its ``places``


def training_comparison(
    panels: Sequence[MeasureInTraining], in_seconds: bool, title: str, subtitle: str
) -> Figure:
    """Draw one or two panels side by side.

    Args:
        panels: measures of the same models.
        in_seconds: whether places are seconds of training rather than steps.
        title: bold, in the first line.
        subtitle: in the second line.
    """
    columns = legend_columns([curve.name for curve in panels[0].curves])
    rows = -(-len(panels[0].curves) // columns)
    top = HEADING_INCHES + LEGEND_ROW_INCHES * rows + LEGEND_GAP_INCHES
    size = WIDTHS[len(panels)], HEIGHT_INCHES
    layout = Panels(LEFT_INCHES, top, size, (GAP_INCHES, 0))
    width = layout.right(len(panels)) + RIGHT_INCHES
    figure = sheet(width, layout.bottom(1) + FOOT_INCHES, title, subtitle)
    for column, panel in enumerate(panels):
        axes = layout.add(figure, 0, column)
        for i, curve in enumerate(panel.curves):
            draw_model(axes, curve, offset=i)
        (fit_from_zero if panel.from_zero else fit)(axes)
        (label_seconds if in_seconds else label_training_steps)(axes, panel.label)
        if column == 0:
            name_models(axes, columns)
    return figure
