"""Panels of functions: which steps, the lines' data, ages of contexts, keys on the axis."""

from collections.abc import Iterable
from typing import Any

import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from lightning_modules.pictures import functions
from lightning_modules.pictures.chosen_steps import chosen_steps
from lightning_modules.pictures.functions import (
    BANDS,
    ModelFunctions,
    functions_of_models,
    strength,
)
from lightning_modules.pictures.predicted_functions import PredictedFunctions

COLOUR = "#d55e00"


def draw(prediction: PredictedFunctions) -> Figure:
    return functions(prediction, "Title", "Subtitle", COLOUR)


def parts_of(axes: Axes) -> dict[str, Any]:
    return {artist.get_gid(): artist for artist in (*axes.lines, *axes.collections)}


def points_of(line: Any) -> list[tuple[float, float]]:
    return sorted(zip(line.get_xdata().tolist(), line.get_ydata().tolist(), strict=True))


def test_every_panel_shows_its_step(prediction: PredictedFunctions) -> None:
    panels = draw(prediction).axes
    assert len(panels) == 6
    mean, sigma = (part.squeeze(-1) for part in (prediction.mean, prediction.sigma))
    for t, axes in enumerate(panels):
        parts = parts_of(axes)
        assert parts["truth"].get_ydata().tolist() == prediction.target_y[t, :, 0].tolist()
        assert parts["mean"].get_ydata().tolist() == mean[t].tolist()
        assert parts["mean"].get_xdata().tolist() == prediction.target_x[t, :, 0].tolist()
        assert to_hex(parts["mean"].get_color()) == COLOUR
        for n in (1, 2):
            heights = {round(y, 4) for y in parts[f"{n} sigma"].get_paths()[0].vertices[:, 1]}
            ends = torch.cat([mean[t] - n * sigma[t], mean[t] + n * sigma[t]])
            assert heights == {round(y, 4) for y in ends.tolist()}
        assert axes.get_title(loc="left").startswith(f"t = {t + 1}, ")
    assert panels[5].get_title(loc="left") == "t = 6, no context"
    assert BANDS[0] > BANDS[1], "the inner band is the darker one"


def test_contexts_lie_where_they_were_seen_and_fade(prediction: PredictedFunctions) -> None:
    for t, axes in enumerate(draw(prediction).axes):
        parts, opacity = parts_of(axes), []
        for age in range(t + 1):
            mask = prediction.context_mask[t - age]
            line = parts.get(f"context of age {age}")
            assert (line is not None) == bool(mask.any())
            if line is not None:
                points = prediction.context_x, prediction.context_y
                x, y = (v[t - age][mask, 0] for v in points)
                assert points_of(line) == sorted(zip(x.tolist(), y.tolist(), strict=True))
                opacity.append(line.get_markerfacecolor()[3])
        assert opacity == sorted(opacity, reverse=True) and len(set(opacity)) == len(opacity)
        assert not any(f"context of age {age}" in parts for age in range(t + 1, 7)), "no future"


def test_strength_falls_with_age_and_stays_visible() -> None:
    shades = [strength(age) for age in range(50)]
    assert shades[0] == 1 and shades == sorted(set(shades), reverse=True)
    assert shades[-1] > 0.09


def test_all_panels_have_one_scale(prediction: PredictedFunctions) -> None:
    assert len({(axes.get_xlim(), axes.get_ylim()) for axes in draw(prediction).axes}) == 1
    narrow = draw(prediction._replace(x_range=3.0)).axes[0]
    assert narrow.get_xlim() == (-3, 3) and narrow.get_xticks().tolist() == [-3, -1.5, 0, 1.5]


def test_a_model_that_is_far_off_does_not_flatten_the_truth(prediction: PredictedFunctions) -> None:
    wide = prediction._replace(sigma=torch.full((6, 5, 1), 1e6))
    low, high = draw(wide).axes[0].get_ylim()
    truth = prediction.target_y
    assert high - low < 3.5 * (truth.max() - truth.min())


def test_imaginary_keys_are_marked_on_the_axis(prediction: PredictedFunctions) -> None:
    keys = torch.tensor([-9.0, -1.0, 0.5, 7.0, 8.0]).view(1, 5, 1).expand(6, 5, 1)
    figure = draw(prediction._replace(keys=keys))
    parts = parts_of(figure.axes[3])
    assert parts["imaginary keys"].get_xdata().tolist() == [-1, 0.5]
    assert parts["keys at the left"].get_xdata().tolist() == [-4]
    assert parts["keys at the right"].get_xdata().tolist() == [4, 4]
    assert to_hex(parts["imaginary keys"].get_color()) == COLOUR
    explained = [text.get_text() for text in figure.legends[0].get_texts()]
    assert "imaginary keys beyond the axis" in explained
    assert not any("keys" in (gid or "") for gid in parts_of(draw(prediction).axes[0]))


def test_nothing_runs_out_of_the_picture(prediction: PredictedFunctions) -> None:
    figure = draw(prediction._replace(keys=torch.full((6, 5, 1), 9.0)))
    canvas = FigureCanvasAgg(figure)
    figure.draw_without_rendering()
    boxes = [t.get_window_extent(canvas.get_renderer()) for t in figure.legends[0].get_texts()]
    assert all(box.x0 >= 0 and box.x1 <= figure.bbox.x1 and box.y0 >= 0 for box in boxes)
    lowest = min(axes.xaxis.label.get_window_extent().y0 for axes in figure.axes[4:])
    assert max(box.y1 for box in boxes) < lowest


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_a_model_that_diverged_is_drawn(prediction: PredictedFunctions) -> None:
    draw(prediction._replace(mean=torch.full((6, 5, 1), torch.nan)))


@pytest.mark.parametrize(
    ("with_context", "steps", "rare"),
    [
        (range(10), 20, set()),
        ([t for t in range(50) if t not in (8, 30)], 50, {8, 30}),
        ([0], 20, {0}),
        ([0, 2], 4, {1, 3}),
        (range(20), 20, set()),
    ],
)
def test_steps_with_and_without_a_context_are_spread(
    with_context: Iterable[int], steps: int, rare: set[int]
) -> None:
    mask = torch.zeros(steps, dtype=torch.bool)
    mask[list(with_context)] = True
    chosen = chosen_steps(mask, 8)
    assert chosen == sorted(set(chosen)) and len(chosen) == min(8, steps)
    assert chosen[0] == 0 and chosen[-1] == steps - 1 and rare <= set(chosen)
    gaps = [b - a for a, b in zip(chosen, chosen[1:], strict=False)]
    assert max(gaps) <= steps // 4


def test_transfer_shows_both_phases_alike() -> None:
    assert chosen_steps(torch.arange(20) < 10, 8) == [0, 3, 6, 9, 10, 13, 16, 19]


def test_models_have_a_row_each_on_one_scale(prediction: PredictedFunctions) -> None:
    keys = torch.zeros(6, 2, 1)
    wider = prediction._replace(mean=3 * prediction.mean, keys=keys)
    models = {"A": ModelFunctions(prediction, COLOUR), "B": ModelFunctions(wider, "#0072b2")}
    figure = functions_of_models(models, "Title", "Subtitle")
    steps = chosen_steps(prediction.with_context, 4)
    assert len(figure.axes) == 8
    for place, axes in enumerate(figure.axes):
        row, column = divmod(place, 4)
        prediction_of, colour = list(models.values())[row]
        drawn = parts_of(axes)["mean"]
        assert drawn.get_ydata().tolist() == prediction_of.mean[steps[column], :, 0].tolist()
        assert to_hex(drawn.get_color()) == colour
        assert axes.get_title(loc="left").startswith(f"t = {steps[column] + 1}, ")
        assert axes.get_ylabel() == (list(models)[row] if column == 0 else "")
    assert len({axes.get_ylim() for axes in figure.axes}) == 1
    assert "imaginary keys" in [text.get_text() for text in figure.legends[0].get_texts()]
