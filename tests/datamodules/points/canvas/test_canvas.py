"""The canvas: locations, and values against naively pasted pictures."""

import numpy as np
import pytest
import torch

from datamodules.points.canvas.canvas import canvas_images, place, places, values_at


def paste(pictures: np.ndarray, corners: np.ndarray, side: int) -> np.ndarray:
    """Canvases [B, T, side, side, C] in [0, 1], pixel by pixel."""
    canvases = np.ones((*corners.shape[:2], side, side, pictures.shape[-1]))
    for b, t, row, column in np.ndindex(*corners.shape[:2], *pictures.shape[1:3]):
        top, left = corners[b, t]
        canvases[b, t, top + row, left + column] = pictures[b, row, column] / 255
    return canvases


@pytest.mark.parametrize(("size", "channels"), [(28, 1), (32, 3), (1, 2)])
def test_values_are_those_of_a_pasted_picture(size: int, channels: int) -> None:
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (2, size, size, channels), np.uint8)
    corners = rng.integers(0, 42 - size + 1, (2, 3, 2))
    corners[0, 0], corners[1, 2] = 0, 42 - size
    index = np.stack([rng.permutation(42 * 42) for _ in range(6)]).reshape(2, 3, -1)
    values = values_at(*map(torch.from_numpy, (index, pictures, corners)), 42)
    canvases = paste(pictures, corners, 42).reshape(2, 3, -1, channels)
    expected = np.take_along_axis(canvases, index[..., None], axis=2) - 0.5
    assert values.dtype == torch.float32
    np.testing.assert_allclose(values, expected, atol=1e-7)


def test_places_go_from_edge_to_edge_row_by_row() -> None:
    x = places(42)
    assert x.shape == (1764, 2) and x.dtype == torch.float32
    assert x[0].tolist() == [-1, -1] and x[41].tolist() == [-1, 1]
    assert x[42 * 41].tolist() == [1, -1] and x[-1].tolist() == [1, 1]
    assert x[5 * 42 + 7].tolist() == pytest.approx([-1 + 10 / 41, -1 + 14 / 41])
    assert place(torch.tensor(20.5), 42) == 0


def test_images_are_the_values_of_all_pixels_in_order() -> None:
    images = torch.rand(2, 5, 3, 42, 42, generator=torch.Generator().manual_seed(0))
    values = images.permute(0, 1, 3, 4, 2).flatten(2, 3) - 0.5
    assert torch.allclose(canvas_images(values), images, atol=1e-7)
    assert canvas_images(torch.tensor([[-0.7], [0.6], [0.0], [-0.5]])).tolist() == [
        [[0, 1], [0.5, 0]]
    ]
