"""Write and read weightings of a memory over the steps of a sequence."""

from math import ceil

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LinearSegmentedColormap, PowerNorm, to_rgb
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from lightning_modules.pictures.layout import Panels, add_axes
from lightning_modules.pictures.style import DPI, HEADING_INCHES, INK, QUIET, sheet, tidy

#: Margins of the sheet, whose width the panels share, and the panels' height and gaps.
LEFT_INCHES, RIGHT_INCHES, TOP_INCHES, FOOT_INCHES = 0.6, 1.0, HEADING_INCHES + 0.25, 0.72
PANEL_INCHES, GAP_INCHES = 2.3, (0.25, 0.35)
#: Distance of the colour bar from the sheet's right edge, and its width.
BAR_INCHES = 0.85, 0.14
# Columns, and the sheet's width in inches: one write head and five read heads fill two rows of
# three; five write heads and five read heads have a row each.
FEW_HEADS, FEW, MANY = 6, (3, 10.0), (5, 12.6)


def expected_reads(write: Tensor, recalled_from: Tensor) -> list[tuple[int, int]]:
    """Return (step, slot) pairs: where the answers of recalled steps were stored.

    The latent of step s is written in step s + 1, to the slot with the largest weight summed over
    heads. It may have been overwritten since. Steps that wrote nothing are skipped.

    Args:
        write: [T, H, N].
        recalled_from: [T], the earlier step that holds the answer; -1 if none.
    """
    strengths, slots = (part.tolist() for part in write.sum(1).max(1))
    return [
        (t, slots[s + 1])
        for t, s in enumerate(recalled_from.tolist())
        if s >= 0 and strengths[s + 1] > 0
    ]


def memory_film(
    read: Tensor, write: Tensor, recalled_from: Tensor, title: str, subtitle: str, colour: str
) -> Figure:
    """Draw a heat map of steps and slots for each write head and each read head.

    Args:
        read: weightings [T, R, N] of one sequence, with N at least 1.
        write: weightings [T, H, N] of the same sequence; H is 0 if slots hold no single steps.
        recalled_from: [T], the earlier step that holds the answer; -1 if none. In read panels,
            rings mark the slot to which that step was written.
        title: bold, in the first line.
        subtitle: in the second line.
        colour: the core's colour; full weight is drawn in a dark tone of it.
    """
    heads = _heads(read, write)
    columns, width = FEW if len(heads) <= FEW_HEADS else MANY
    panels = _panels(columns, width)
    height = panels.bottom(ceil(len(heads) / columns)) + FOOT_INCHES
    figure = sheet(width, height, title, subtitle)
    rings = expected_reads(write, recalled_from)
    for i, (name, weights) in enumerate(heads):
        axes = panels.add(figure, *divmod(i, columns))
        axes.set_title(name, size=9, color=INK, loc="left", pad=4)
        image = _draw_weights(axes, weights, shades(colour))
        if name.startswith("read"):
            _draw_rings(axes, rings, weights)
        _label(axes, outer_left=i % columns == 0, outer_bottom=i + columns >= len(heads))
    _draw_colourbar(figure, image)
    if write.shape[1]:  # else nothing is ringed
        _draw_note(figure)
    return figure


def shades(colour: str) -> Colormap:
    """Return a colour map from white through the colour to a dark tone of it."""
    dark = tuple(0.45 * np.array(to_rgb(colour)))
    return LinearSegmentedColormap.from_list("weights", ["white", colour, dark])


def _panels(columns: int, width: float) -> Panels:
    """Divide a sheet's width into panels."""
    pitch = (width - LEFT_INCHES - RIGHT_INCHES) / columns
    return Panels(LEFT_INCHES, TOP_INCHES, (pitch - GAP_INCHES[0], PANEL_INCHES), GAP_INCHES)


def _heads(read: Tensor, write: Tensor) -> list[tuple[str, Tensor]]:
    """Return name and weightings [T, N] of every head, write heads first."""
    return [
        (f"{kind} head {head + 1}" if weights.shape[1] > 1 else f"{kind} head", weights[:, head])
        for kind, weights in (("write", write), ("read", read))
        for head in range(weights.shape[1])
    ]


def _draw_weights(axes: Axes, weights: Tensor, colours: Colormap) -> AxesImage:
    """Draw a heat map [T, N] on a square-root scale, which shows diffuse weightings too."""
    steps, slots = weights.shape
    return axes.imshow(
        weights.T.numpy(force=True),
        extent=(0.5, steps + 0.5, slots + 0.5, 0.5),
        cmap=colours,
        norm=PowerNorm(0.5, 0, 1),
        interpolation="nearest",
        aspect="auto",
    )


def _draw_rings(axes: Axes, rings: list[tuple[int, int]], weights: Tensor) -> None:
    """Draw rings around weights, not over them, unless cells are too small to be visible."""
    cell = min(axes.bbox.width / weights.shape[0], axes.bbox.height / weights.shape[1]) * 72 / DPI
    steps, slots = torch.tensor(rings).reshape(-1, 2).add(1).unbind(1)
    (marks,) = axes.plot(
        steps, slots, "o", mfc="none", mec=INK, mew=0.9, ms=max(5, 1.3 * cell), ls=""
    )
    marks.set(clip_on=False, gid="expected")


def _label(axes: Axes, outer_left: bool, outer_bottom: bool) -> None:
    tidy(axes)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    axes.tick_params(labelleft=outer_left, labelbottom=outer_bottom)
    if outer_left:
        axes.set_ylabel("slot", size=9, color=INK)
    if outer_bottom:
        axes.set_xlabel("step t", size=9, color=INK)


def _draw_colourbar(figure: Figure, image: AxesImage) -> None:
    from_right, width = BAR_INCHES
    left = figure.get_figwidth() - from_right
    axes = add_axes(figure, left, TOP_INCHES, width, PANEL_INCHES)
    bar = figure.colorbar(image, cax=axes, ticks=[0, 0.04, 0.25, 1])
    bar.set_label("weight (square-root scale)", size=8, color=QUIET)
    bar.outline.set_visible(False)
    bar.ax.tick_params(colors=QUIET, labelsize=8, width=0.8)


def _draw_note(figure: Figure) -> None:
    text = "Ring: slot in which the step that holds this step's answer was written most."
    width, height = figure.get_size_inches()
    figure.text(1 - 0.2 / width, 0.1 / height, text, size=8, color=QUIET, ha="right", va="bottom")
