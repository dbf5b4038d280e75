"""Performance profile: the distribution of each model's scores (Agarwal et al. 2021, figure 7)."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lightning_modules.pictures.layout import add_axes
from lightning_modules.pictures.style import (
    FAINT,
    HEADING_INCHES,
    INK,
    legend_below,
    sheet,
    tidy,
)

WIDTH, HEIGHT = 8.0, 4.6
LEFT_INCHES, AXES_INCHES, LABEL_INCHES, LEGEND_ROW_INCHES = 0.68, 6.64, 0.5, 0.18
COLUMNS = 6


class ModelProfile(NamedTuple):
    """One model's line."""

    name: str
    colour: str
    line_style: str  #: of Matplotlib
    thresholds: NDArray[np.float64]  #: ascending
    shares: NDArray[np.float64]  #: of runs that score above each threshold


def performance_profile(profiles: Sequence[ModelProfile], of: str) -> Figure:
    """Draw the share of runs that score above a threshold, over the thresholds.

    Args:
        profiles: the models' profiles.
        of: the subtitle, which names the scores.
    """
    figure = sheet(WIDTH, HEIGHT, "Share of runs with a higher score", of)
    foot = LABEL_INCHES + LEGEND_ROW_INCHES * -(-len(profiles) // COLUMNS)
    height = HEIGHT - HEADING_INCHES - foot
    axes = add_axes(figure, LEFT_INCHES, HEADING_INCHES, AXES_INCHES, height)
    least = min(0.0, *(profile.thresholds[0] for profile in profiles))
    key = {}
    for profile in profiles:
        (key[profile.name],) = axes.step(
            [least - 0.03, *profile.thresholds, 1],
            [1, *profile.shares, 0],
            where="post",
            color=profile.colour,
            ls=profile.line_style,
            lw=1.8,
            gid=profile.name,
        )
    axes.set_xlim(least - 0.03, 1)
    axes.set_ylim(0, 1.02)
    axes.grid(color=FAINT, lw=0.6)
    axes.set_xlabel("score (0: without a memory, 1: perfect)", size=9, color=INK)
    axes.set_ylabel("share of runs", size=9, color=INK)
    tidy(axes)
    legend_below(figure, key, COLUMNS)
    return figure
