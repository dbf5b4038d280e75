"""Keys over time: on the axis of functions, and on the canvas of images."""

from typing import NamedTuple

import pytest
import torch
from matplotlib.colors import to_hex
from torch import Tensor

from datamodules import MovingDigits
from datamodules.points.canvas.canvas import canvas_images
from lightning_modules.pictures import imaginary_keys, key_tracks
from lightning_modules.pictures.imaginary_keys import REACH, TAIL
from lightning_modules.pictures.predicted_functions import PredictedFunctions

COLOUR = "#d55e00"


def test_each_key_of_functions_has_a_line_over_steps(prediction: PredictedFunctions) -> None:
    keys = torch.randn(6, 3, 1)
    axes = key_tracks(keys, prediction, "Title", "Subtitle", COLOUR).axes[0]
    lines = {line.get_gid(): line for line in axes.lines}
    for k in range(3):
        line = lines[f"key {k + 1}"]
        assert line.get_ydata().tolist() == keys[:, k, 0].tolist()
        assert list(line.get_xdata()) == [1, 2, 3, 4, 5, 6] and to_hex(line.get_color()) == COLOUR
    shown = zip(lines["contexts"].get_xdata(), lines["contexts"].get_ydata(), strict=True)
    assert sorted(map(tuple, shown)) == sorted(
        (t + 1, x.item())
        for t in range(6)
        for x in prediction.context_x[t, prediction.context_mask[t], 0]
    )
    low, high = axes.get_ylim()
    assert low < -4 and high > 4, "the whole grid"


class Moving(NamedTuple):
    """A picture that moves on six canvases."""

    centres: Tensor  #: [T, 2]
    images: Tensor  #: [T, C, H, W]


@pytest.fixture
def moving(digits: MovingDigits) -> Moving:
    """A digit."""
    sequence = digits.dataset("val")[0]
    return Moving(sequence.task, canvas_images(sequence.target_y))


def test_keys_lie_on_the_canvas_rows_down_and_columns_right(moving: Moving) -> None:
    keys = torch.tensor([[0.5, -0.75], [-1.0, 1.0], [5.0, 0.0]]).expand(6, 3, 2)
    for t, axes in enumerate(imaginary_keys(keys, *moving, "", "", COLOUR).axes):
        lines = {line.get_gid(): line for line in axes.lines}
        now = lines["keys"]
        assert list(zip(now.get_xdata(), now.get_ydata(), strict=True)) == [(-0.75, 0.5), (1, -1)]
        beyond = lines["keys beyond"]
        assert (beyond.get_xdata()[0], beyond.get_ydata()[0]) == pytest.approx((0, REACH))
        assert beyond.get_markerfacecolor() == "white" and now.get_markerfacecolor() == COLOUR
        assert axes.get_title() == f"t = {t + 1}, 1 beyond"
        assert axes.yaxis_inverted(), "rows run down"


def test_the_path_is_that_of_the_pictures_centre(moving: Moving) -> None:
    keys = torch.zeros(6, 3, 2)
    axes = imaginary_keys(keys, *moving, "", "", COLOUR).axes[-1]
    lines = {line.get_gid(): line for line in axes.lines}
    centres = moving.centres
    assert lines["path"].get_ydata().tolist() == centres[5 - TAIL :, 0].tolist()
    row, column = centres[-1].tolist()
    assert (lines["centre"].get_xdata()[0], lines["centre"].get_ydata()[0]) == (column, row)
    # Where the canvas is drawn, the picture is around the centre.
    (image,) = axes.images
    left, right, bottom, top = image.get_extent()
    ink = 1 - torch.tensor(image.get_array())[..., 0]
    across = torch.linspace(left, right, 43)[:-1] + (right - left) / 84
    assert (ink.sum(0) * across).sum() / ink.sum() == pytest.approx(column, abs=0.2)
    assert (ink.sum(1) * across).sum() / ink.sum() == pytest.approx(row, abs=0.2)
    assert (left, top) == (-right, -bottom) and right == pytest.approx(1 + 1 / 41)
