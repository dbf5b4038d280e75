"""A canvas with a picture on it, as a function from locations to intensities.

The first coordinate of a location is that of the row, the second of the column; the centres of the
outermost pixels are at -1 and 1. Pixels are numbered row by row. A value is an intensity in [0, 1]
minus 0.5: white is 0.5.
"""

from math import isqrt

import torch
import torch.nn.functional as F
from torch import Tensor

WHITE, BLACK = 255, 0


def place(pixel: Tensor, side: int) -> Tensor:
    """Return the coordinate of a row or column of a canvas, float32 in [-1, 1].

    Args:
        pixel: index of the row or column, of any type; fractions lie between pixels.
        side: pixels per side, at least 2.
    """
    return (2 * pixel.double() / (side - 1) - 1).float()


def places(side: int) -> Tensor:
    """Return the coordinates of all pixels, float32 [side * side, 2]."""
    line = place(torch.arange(side), side)
    return torch.cartesian_prod(line, line)


def values_at(
    index: Tensor, pictures: Tensor, corners: Tensor, side: int, free: int = WHITE
) -> Tensor:
    """Return the values of some pixels of canvases with a picture each.

    Args:
        index: indices of the pixels, int64 [B, T, K].
        pictures: one for all canvases of a sequence, uint8 [B, S, S, C].
        corners: row and column of each picture's first pixel, int64 [B, T, 2]; the whole picture
            is on the canvas.
        side: rows, and columns, of a canvas.
        free: intensity of the background, from 0 to 255.

    Returns:
        Values in [-0.5, 0.5], float32 [B, T, K, C].
    """
    # A border of one pixel stands for all of the background.
    size = pictures.shape[1]
    framed = F.pad(pictures, (0, 0, 1, 1, 1, 1), value=free).flatten(1, 2).float() / WHITE - 0.5
    pixels = torch.stack([index // side, index % side])
    rows, columns = (pixels - corners.movedim(-1, 0).unsqueeze(-1)).clamp(-1, size) + 1
    sequence = torch.arange(len(index)).view(-1, 1, 1)
    return framed[sequence, rows * (size + 2) + columns]


def canvas_images(values: Tensor) -> Tensor:
    """Arrange the values of all pixels as images, for metrics and pictures.

    Args:
        values: in the order of the pixels, [..., side * side, C]; what a model predicts may be
            outside [-0.5, 0.5], and is clamped.

    Returns:
        Intensities in [0, 1], [..., C, side, side].
    """
    side = isqrt(values.shape[-2])
    return (values + 0.5).clamp(0, 1).transpose(-1, -2).unflatten(-1, (side, side))
