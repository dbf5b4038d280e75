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


def test_ink_is_white_on_black_as_in_the_source() -> None:
    white, black = (MovingDigits(source="mnist5k", canvas=canvas) for canvas in ("white", "black"))
    for data in (white, black):
        data.setup()
    inverted, plain = (data.dataset("test").pictures for data in (white, black))
    assert 0.08 < plain.mean() / 255 < 0.2 and (plain == 255 - inverted).all()
    shown = [data.dataset("test")[0].target_y for data in (white, black)]
    assert (shown[0] + shown[1]).abs().max() < 1e-6, "one canvas is the other's negative"


@pytest.mark.parametrize("protocol", ["strict", "paper"])
@pytest.mark.parametrize(("canvas", "inked"), [("white", True), ("black", False)])
def test_overlap_is_measured_on_a_white_canvas(protocol: str, canvas: str, inked: bool) -> None:
    assert MovingDigits(protocol=protocol, canvas=canvas).asks_for_inked_pictures == inked
