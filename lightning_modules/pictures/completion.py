"""Moving pictures completed from some of their pixels (Yoon et al. 2020, figures 9, 12 to 15)."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from torch import Tensor

from lightning_modules.pictures.chosen_steps import chosen_steps
from lightning_modules.pictures.layout import Panels, add_axes
from lightning_modules.pictures.memory_film import shades
from lightning_modules.pictures.style import HEADING_INCHES, INK, QUIET, in_two_lines, pixels, sheet

COLUMNS = 10
ROWS = ("context", "target", "predicted\nmean", "predicted\nst. dev.")
#: Colour of pixels outside the context; not a grey, which could be a pixel's value.
UNSEEN = "#BFD9EA"
LABEL_INCHES, RIGHT_INCHES, FOOT_INCHES = 0.85, 0.92, 0.42
PANELS = Panels(left=LABEL_INCHES, top=HEADING_INCHES + 0.24, size=(1.0, 1.0), gaps=(0.07, 0.07))
#: Left and right margins of sheets with several models, whose names are longer.
MODELS_INCHES, GAP_INCHES = 1.45, 0.15
#: Resolution of sheets with several models, which are large.
MODELS_DPI = 100
#: Distance of the colour bar from the last panel, and its width.
BAR_INCHES = 0.1, 0.12


class CompletedImages(NamedTuple):
    """T images, their context pixels, and the prediction of all pixels."""

    truth: Tensor  #: [T, C, H, W] in [0, 1]
    seen: Tensor  #: [T, H, W] bool, the context
    mean: Tensor  #: [T, C, H, W] in [0, 1]
    sigma: Tensor  #: [T, H, W], predicted standard deviation, averaged over colours


class ModelImages(NamedTuple):
    """A model's prediction of images, and its colour."""

    images: CompletedImages
    colour: str


def completion(images: CompletedImages, title: str, subtitle: str, colour: str) -> Figure:
    """Draw columns of images for some steps, with and without a context.

    Args:
        images: the truth, the context and the prediction.
        title: bold, in the first line.
        subtitle: in the second line.
        colour: the model's colour, for standard deviations.
    """
    steps = chosen_steps(images.seen.flatten(1).any(1), COLUMNS)
    width = PANELS.right(len(steps)) + RIGHT_INCHES
    figure = sheet(width, PANELS.bottom(len(ROWS)) + FOOT_INCHES, title, subtitle)
    panels = [
        [_add_panel(figure, row, column) for column in range(len(steps))]
        for row in range(len(ROWS))
    ]
    for row, shown in enumerate(image_rows(images, steps)):
        for axes, image in zip(panels[row], shown, strict=True):
            axes.imshow(image.numpy(), interpolation="nearest", gid=ROWS[row].replace("\n", " "))
    bar = _draw_deviations(panels[-1], images.sigma[steps], colour)
    for axes, step in zip(panels[0], steps, strict=True):
        _head(axes, images, step)
    for line, name in zip(panels, ROWS, strict=True):
        _name(line[0], name, colour if name.startswith("predicted") else INK)
    _draw_bar(figure, len(steps), bar)
    _draw_note(figure)
    return figure


def completions_of_models(models: Mapping[str, ModelImages], title: str, subtitle: str) -> Figure:
    """Draw the context and the target of some steps, then a row of predicted means for each model.

    Args:
        models: by name; all have the same images and context.
        title: bold, in the first line.
        subtitle: in the second line.
    """
    first = next(iter(models.values())).images
    steps = chosen_steps(first.seen.flatten(1).any(1), COLUMNS)
    shown, truth, _ = image_rows(first, steps)
    rows = {"context": (shown, INK), "target": (truth, INK)}
    rows |= {
        in_two_lines(name): (image_rows(images, steps)[2], colour)
        for name, (images, colour) in models.items()
    }
    panels = PANELS._replace(left=MODELS_INCHES)
    width = panels.right(len(steps)) + GAP_INCHES
    figure = sheet(width, panels.bottom(len(rows)) + FOOT_INCHES, title, subtitle)
    figure.set_dpi(MODELS_DPI)
    for row, (name, (drawn, colour)) in enumerate(rows.items()):
        for column, (step, image) in enumerate(zip(steps, drawn, strict=True)):
            axes = _add_panel(figure, row, column, panels)
            axes.imshow(image.numpy(), interpolation="nearest", gid=name.replace("\n", " "))
            if row == 0:
                _head(axes, first, step)
            if column == 0:
                _name(axes, name, colour)
    _draw_note(figure, MODELS_INCHES)
    return figure


def image_rows(images: CompletedImages, steps: list[int]) -> list[Tensor]:
    """Return the context, the truth and the predicted mean of S steps, [S, H, W, 3] each."""
    truth, mean = (torch.from_numpy(pixels(each[steps])) for each in (images.truth, images.mean))
    seen = images.seen[steps].unsqueeze(-1)
    return [truth.where(seen, torch.tensor(to_rgb(UNSEEN))), truth, mean]


def _head(axes: Axes, images: CompletedImages, step: int) -> None:
    """Set a column's title: the step, and its number of context pixels."""
    head = f"t = {step + 1}, {int(images.seen[step].sum()):,} px"
    axes.set_title(head, size=8, color=INK, pad=4)


def _add_panel(figure: Figure, row: int, column: int, panels: Panels = PANELS) -> Axes:
    axes = panels.add(figure, row, column)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set(color=QUIET, lw=0.6)
    return axes


def _draw_deviations(panels: list[Axes], values: Tensor, colour: str) -> AxesImage:
    """Draw standard deviations [S, H, W] on one scale from zero."""
    finite = values[values.isfinite()]
    highest = float(finite.max()) if len(finite) else 1.0
    for axes, image in zip(panels, values, strict=True):
        drawn = axes.imshow(
            image.numpy(), cmap=shades(colour), vmin=0, vmax=highest, gid="deviation"
        )
    return drawn


def _name(axes: Axes, name: str, colour: str) -> None:
    axes.set_ylabel(name, size=9, color=colour, rotation=0, ha="right", va="center", labelpad=6)


def _draw_bar(figure: Figure, columns: int, image: AxesImage) -> None:
    """Draw the colour bar of the last row, at its end."""
    gap, width = BAR_INCHES
    height = PANELS.size[1]
    top = PANELS.bottom(len(ROWS)) - height
    axes = add_axes(figure, PANELS.right(columns) + gap, top, width, height)
    bar = figure.colorbar(image, cax=axes)
    bar.set_label("intensity", size=8, color=QUIET)
    bar.outline.set_visible(False)
    bar.ax.tick_params(colors=QUIET, labelsize=8, width=0.8)


def _draw_note(figure: Figure, left: float = LABEL_INCHES) -> None:
    width, height = figure.get_size_inches()
    text = "Context: pixels of this step that are shown to the model, on blue; px: their number."
    at = left / width, 0.1 / height
    figure.text(*at, text, size=8, color=QUIET, va="bottom")
