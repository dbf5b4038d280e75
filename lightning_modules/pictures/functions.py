"""Functions of one variable: the truth, the prediction and the context points.

As in figures 5 and 11 of Yoon et al. 2020, for several steps of one sequence.
"""

from collections.abc import Mapping
from math import ceil
from typing import Any, NamedTuple

import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from lightning_modules.pictures.chosen_steps import chosen_steps
from lightning_modules.pictures.layout import Panels
from lightning_modules.pictures.predicted_functions import PredictedFunctions
from lightning_modules.pictures.style import HEADING_INCHES, INK, QUIET, legend_below, sheet, tidy

MOST_STEPS, COLUMNS = 8, 4
PANELS = Panels(left=0.6, top=HEADING_INCHES + 0.3, size=(2.5, 1.9), gaps=(0.18, 0.5))
RIGHT_INCHES, FOOT_INCHES = 0.18, 0.98
#: Resolution of sheets with several models, which are large.
MODELS_DPI = 80
#: Opacity of the inner band (one standard deviation) and of the outer one (two).
BANDS = (0.26, 0.14)
#: Opacity of the previous step's context, its decay per step, and the lowest opacity.
FRESH, FADING, OLDEST = 0.55, 0.85, 0.1


def functions(prediction: PredictedFunctions, title: str, subtitle: str, colour: str) -> Figure:
    """Draw a panel for each of some steps, with and without a context.

    Args:
        prediction: the functions and their prediction.
        title: bold, in the first line.
        subtitle: in the second line.
        colour: the model's colour.
    """
    steps = chosen_steps(prediction.with_context, MOST_STEPS)
    width = PANELS.right(COLUMNS) + RIGHT_INCHES
    height = PANELS.bottom(ceil(len(steps) / COLUMNS)) + FOOT_INCHES
    figure = sheet(width, height, title, subtitle)
    limits = y_limits(prediction, steps)
    for panel, step in enumerate(steps):
        axes = PANELS.add(figure, *divmod(panel, COLUMNS))
        _draw_step(axes, prediction, step, colour)
        axes.set(xlim=(-prediction.x_range, prediction.x_range), ylim=limits)
        _label(axes, prediction, step, panel % COLUMNS == 0, panel + COLUMNS >= len(steps))
    legend_below(figure, _key(prediction, colour), columns=4)
    return figure


class ModelFunctions(NamedTuple):
    """One model's prediction of a sequence."""

    prediction: PredictedFunctions
    colour: str  #: of the model


def functions_of_models(models: Mapping[str, ModelFunctions], title: str, subtitle: str) -> Figure:
    """Draw a row for each model, and a column for each of some steps, on one scale.

    Args:
        models: by name; all predict the same functions.
        title: bold, in the first line.
        subtitle: in the second line.
    """
    first = next(iter(models.values())).prediction
    steps = chosen_steps(first.with_context, COLUMNS)
    width = PANELS.right(len(steps)) + RIGHT_INCHES
    figure = sheet(width, PANELS.bottom(len(models)) + FOOT_INCHES, title, subtitle)
    figure.set_dpi(MODELS_DPI)
    ends = [y_limits(each.prediction, steps) for each in models.values()]
    limits = min(low for low, _ in ends), max(high for _, high in ends)
    for row, (name, (prediction, colour)) in enumerate(models.items()):
        for column, step in enumerate(steps):
            axes = PANELS.add(figure, row, column)
            _draw_step(axes, prediction, step, colour)
            axes.set(xlim=(-prediction.x_range, prediction.x_range), ylim=limits)
            _label(axes, prediction, step, column == 0, row == len(models) - 1)
            if column == 0:
                axes.set_ylabel(name, size=9, color=colour, weight="bold")
    with_keys = next((m for m in models.values() if m.prediction.keys is not None), None)
    prediction, colour = (first, INK) if with_keys is None else with_keys
    key = _key(prediction, colour)
    key["predicted mean"] = Line2D([], [], color=QUIET, lw=1.8)
    for name in ("one standard deviation", "two standard deviations"):
        key[name] = Patch(
            color=QUIET, alpha=sum(BANDS) if name.startswith("one") else BANDS[1], lw=0
        )
    legend_below(figure, key, columns=4)
    return figure


def strength(age: int) -> float:
    """Return the opacity of context points from ``age`` steps ago; 0 is the current step."""
    return 1 if age == 0 else OLDEST + (FRESH - OLDEST) * FADING ** (age - 1)


def y_limits(prediction: PredictedFunctions, steps: list[int]) -> tuple[float, float]:
    """Return y limits for the truth and the bands; these may add at most the truth's range."""
    mask = prediction.target_mask[steps]
    parts = prediction.target_y, prediction.mean, prediction.sigma
    truth, mean, sigma = (part[steps][mask] for part in parts)
    low, high = float(truth.min()), float(truth.max())
    reach = high - low
    values = torch.cat([truth, mean - 2 * sigma, mean + 2 * sigma])
    values = values[values.isfinite()].clamp(low - reach, high + reach)
    margin = 0.05 * float(values.max() - values.min()) or 0.5
    return float(values.min()) - margin, float(values.max()) + margin


def _draw_step(axes: Axes, prediction: PredictedFunctions, step: int, colour: str) -> None:
    mask = prediction.target_mask[step]
    parts = prediction.target_x, prediction.target_y, prediction.mean, prediction.sigma
    x, truth, mean, sigma = (part[step][mask].squeeze(-1) for part in parts)
    _draw_lines(axes, x, truth, mean, sigma, colour)
    _draw_contexts(axes, prediction, step)
    if prediction.keys is not None:
        _draw_keys(axes, prediction.keys[step].squeeze(-1), prediction.x_range, colour)


def _draw_lines(
    axes: Axes, x: Tensor, truth: Tensor, mean: Tensor, sigma: Tensor, colour: str
) -> None:
    """Draw the truth, the predicted mean and its bands."""
    for sigmas, opacity in zip((2, 1), reversed(BANDS), strict=True):
        band = (mean - sigmas * sigma).numpy(), (mean + sigmas * sigma).numpy()
        gid = f"{sigmas} sigma"
        axes.fill_between(x.numpy(), *band, color=colour, alpha=opacity, lw=0, gid=gid)
    axes.plot(x.numpy(), mean.numpy(), color=colour, lw=1.8, gid="mean")
    axes.plot(x.numpy(), truth.numpy(), color=INK, lw=1.3, ls=":", gid="truth")


def _draw_contexts(axes: Axes, prediction: PredictedFunctions, step: int) -> None:
    """Draw all context points so far; older ones are fainter."""
    for past in range(step + 1):
        mask = prediction.context_mask[past]
        parts = prediction.context_x, prediction.context_y
        x, y = (part[past][mask].squeeze(-1) for part in parts)
        if len(x):
            _draw_points(axes, x, y, step - past)


def _draw_points(axes: Axes, x: Tensor, y: Tensor, age: int) -> None:
    axes.plot(
        x.numpy(),
        y.numpy(),
        "o",
        mfc=(*to_rgb(INK), strength(age)),
        mec="none",
        ms=3.4 if age else 4.6,
        ls="",
        zorder=4 if age == 0 else 3,
        gid=f"context of age {age}",
    )


def _draw_keys(axes: Axes, keys: Tensor, end: float, colour: str) -> None:
    """Mark keys on the axis; arrows at its ends mark keys beyond them."""
    clamped = keys.clamp(-end, end)
    for marker, selected, name in (
        ("|", keys == clamped, "imaginary keys"),
        ("<", keys < -end, "keys at the left"),
        (">", keys > end, "keys at the right"),
    ):
        axes.plot(
            clamped[selected].numpy(),
            torch.full((int(selected.sum()),), 0.045).numpy(),
            marker,
            color=colour,
            ms=9 if marker == "|" else 5,
            mew=1.4 if marker == "|" else 0,
            ls="",
            transform=axes.get_xaxis_transform(),
            clip_on=False,
            zorder=5,
            gid=name,
        )


def _label(axes: Axes, prediction: PredictedFunctions, step: int, left: bool, bottom: bool) -> None:
    tidy(axes)
    number = int(prediction.context_mask[step].sum())
    points = f"{number} context point{'' if number == 1 else 's'}" if number else "no context"
    axes.set_title(f"t = {step + 1}, {points}", size=9, color=INK, loc="left", pad=4)
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    # The right end would touch the next panel.
    axes.set_xticks([share * prediction.x_range for share in (-1, -0.5, 0, 0.5)])
    axes.tick_params(labelleft=left, labelbottom=bottom)
    if left:
        axes.set_ylabel("function y (no unit)", size=9, color=INK)
    if bottom:
        axes.set_xlabel("place x (no unit)", size=9, color=INK)


def _key(prediction: PredictedFunctions, colour: str) -> dict[str, Line2D | Patch]:
    """Return the legend's entries."""
    dot: dict[str, Any] = {"marker": "o", "ls": "", "mec": "none"}
    key: dict[str, Line2D | Patch] = {
        "true function": Line2D([], [], color=INK, lw=1.3, ls=":"),
        "predicted mean": Line2D([], [], color=colour, lw=1.8),
        "one standard deviation": Patch(color=colour, alpha=sum(BANDS), lw=0),
        "two standard deviations": Patch(color=colour, alpha=BANDS[1], lw=0),
        "context of this step": Line2D([], [], mfc=INK, ms=4.6, **dot),
        "earlier context, fading with age": Line2D([], [], mfc=QUIET, ms=3.4, alpha=0.6, **dot),
    }
    if prediction.keys is not None:
        key["imaginary keys"] = Line2D([], [], color=colour, marker="|", ms=9, mew=1.4, ls="")
        if (prediction.keys.abs() > prediction.x_range).any():
            key["imaginary keys beyond the axis"] = Line2D(
                [], [], color=colour, marker=">", ms=5, ls=""
            )
    return key
