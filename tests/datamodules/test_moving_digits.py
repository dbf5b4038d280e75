"""Moving digits: black ink on a white canvas of the paper's size."""

import pytest

from datamodules import MovingDigits


def test_the_form_is_the_papers() -> None:
    data = MovingDigits()
    assert (data.picture_size, data.canvas_shape) == (28, (1, 42, 42))
    assert (data.x_size, data.y_size, data.training_points) == (2, 1, 42 * 42)
    assert data.hparams["batch_size"] == 8
    assert MovingDigits(canvas_size=50).canvas_shape == (1, 50, 50)


def test_ink_is_black_on_white() -> None:
    data = MovingDigits(source="mnist5k")
    data.setup()
    digits = data.dataset("test").pictures
    assert digits.shape == (500, 28, 28, 1) and 0.8 < digits.mean() / 255 < 0.92
    assert (digits[:, 0] == 255).all(), "the upper edge of a digit is as white as the canvas"


@pytest.mark.parametrize(("protocol", "inked"), [("strict", True), ("paper", False)])
def test_overlap_can_be_measured_where_targets_are_all_pixels(protocol: str, inked: bool) -> None:
    assert MovingDigits(protocol=protocol).asks_for_inked_pictures == inked
