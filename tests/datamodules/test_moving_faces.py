"""Moving faces: colours on a canvas of the paper's size."""

from datamodules import MovingFaces


def test_the_form_is_the_papers() -> None:
    data = MovingFaces()
    assert (data.picture_size, data.canvas_shape) == (32, (3, 42, 42))
    assert (data.x_size, data.y_size, data.training_points) == (2, 3, 42 * 42)
    assert data.hparams["batch_size"] == 4
    assert MovingFaces(canvas_size=50).canvas_shape == (3, 50, 50)


def test_faces_have_no_ink() -> None:
    assert not MovingFaces(protocol="strict").asks_for_inked_pictures
