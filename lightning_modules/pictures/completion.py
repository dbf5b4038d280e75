"""Moving pictures completed from some of their pixels (Yoon et al. 2020, figures 9, 12 to 15)."""

import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from torch import Tensor

from datamodules.points.canvas.canvas import canvas_images
from lightning_modules.neural_processes.predictions import Prediction
from lightning_modules.pictures.chosen_steps import chosen_steps
from lightning_modules.pictures.memory_film import shades
from lightning_modules.pictures.style import HEADING_INCHES, INK, QUIET, pixels, sheet

COLUMNS = 10
ROWS = ("context", "target", "predicted\nmean", "predicted\nst. dev.")
#: Of pixels that were not shown; no shade of grey, which could be a pixel's own.
UNSEEN = "#BFD9EA"
SIDE_INCHES, GAP_INCHES = 1.0, 0.07
LABEL_INCHES, STEP_INCHES, BAR_INCHES, FOOT_INCHES = 0.85, 0.24, 0.85, 0.35


def completion(prediction: Prediction, title: str, subtitle: str, colour: str) -> Figure:
    """Draw columns of images for some steps, with and without a context.

    Args:
        prediction: of a sequence of images, whose targets are all pixels.
        title: bold, in the first line.
        subtitle: in the second line.
        colour: of the model, for standard deviations.
    """
    steps = chosen_steps(prediction.with_context, COLUMNS)
    pitch = SIDE_INCHES + GAP_INCHES
    width = LABEL_INCHES + len(steps) * pitch + BAR_INCHES
    height = HEADING_INCHES + STEP_INCHES + len(ROWS) * pitch + FOOT_INCHES
    figure = sheet(width, height, title, subtitle)
    panels = [
        [_add_panel(figure, *place) for place in _row(row, steps)] for row in range(len(ROWS))
    ]
    for row, images in enumerate(image_rows(prediction, steps)):
        for axes, image in zip(panels[row], images, strict=True):
            axes.imshow(image.numpy(), interpolation="nearest", gid=ROWS[row].replace("\n", " "))
    bar = _draw_deviations(panels[-1], deviations(prediction, steps), colour)
    for axes, step in zip(panels[0], steps, strict=True):
        axes.set_title(_head(prediction, step), size=8, color=INK, pad=4)
    for line, name in zip(panels, ROWS, strict=True):
        _name(line[0], name, colour if name.startswith("predicted") else INK)
    _draw_bar(figure, panels[-1][-1], bar)
    _draw_note(figure)
    return figure


def image_rows(prediction: Prediction, steps: list[int]) -> list[Tensor]:
    """The context, the target and the predicted mean of some steps, [S, side, side, 3] each."""
    sequence = prediction.sequence
    truth, mean = (
        torch.from_numpy(pixels(canvas_images(values[steps])))
        for values in (sequence.target_y, prediction.targets.mean)
    )
    seen = sequence.target_seen[steps].unflatten(1, truth.shape[1:3]).unsqueeze(-1)
    return [truth.where(seen, torch.tensor(to_rgb(UNSEEN))), truth, mean]


def deviations(prediction: Prediction, steps: list[int]) -> Tensor:
    """Predicted standard deviations of some steps, of colours their mean, [S, side, side]."""
    side = canvas_images(prediction.targets.sigma[:1]).shape[-1]
    return prediction.targets.sigma[steps].mean(-1).unflatten(1, (side, side))


def _row(row: int, steps: list[int]) -> list[tuple[int, int]]:
    return [(row, column) for column in range(len(steps))]


def _add_panel(figure: Figure, row: int, column: int) -> Axes:
    width, height = figure.get_size_inches()
    pitch = SIDE_INCHES + GAP_INCHES
    left = LABEL_INCHES + column * pitch
    bottom = height - HEADING_INCHES - STEP_INCHES - (row + 1) * pitch + GAP_INCHES
    axes = figure.add_axes(
        (left / width, bottom / height, SIDE_INCHES / width, SIDE_INCHES / height)
    )
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set(color=QUIET, lw=0.6)
    return axes


def _draw_deviations(panels: list[Axes], values: Tensor, colour: str) -> AxesImage:
    """On one scale from zero."""
    finite = values[values.isfinite()]
    highest = float(finite.max()) if len(finite) else 1.0
    for axes, image in zip(panels, values, strict=True):
        drawn = axes.imshow(
            image.numpy(), cmap=shades(colour), vmin=0, vmax=highest, gid="deviation"
        )
    return drawn


def _head(prediction: Prediction, step: int) -> str:
    number = int(prediction.sequence.context_mask[step].sum())
    return f"t = {step + 1}, {number:,} px"


def _name(axes: Axes, name: str, colour: str) -> None:
    axes.set_ylabel(name, size=9, color=colour, rotation=0, ha="right", va="center", labelpad=6)


def _draw_bar(figure: Figure, beside: Axes, image: AxesImage) -> None:
    box = beside.get_position()
    width = figure.get_figwidth()
    axes = figure.add_axes((box.x1 + 0.1 / width, box.y0, 0.12 / width, box.height))
    bar = figure.colorbar(image, cax=axes)
    bar.set_label("intensity", size=8, color=QUIET)
    bar.outline.set_visible(False)
    bar.ax.tick_params(colors=QUIET, labelsize=8, width=0.8)


def _draw_note(figure: Figure) -> None:
    width, height = figure.get_size_inches()
    text = "Context: pixels of this step that the model is shown, on blue; px: how many."
    at = LABEL_INCHES / width, 0.1 / height
    figure.text(*at, text, size=8, color=QUIET, va="bottom")
