"""The average canvas over all positions of the picture."""

import torch
import torch.nn.functional as F
from torch import Tensor


def mean_canvas(picture: Tensor, side: int, free: int) -> Tensor:
    """Average a canvas over all positions of a picture, float32 [side, side, C].

    A path is uniform on each axis at every step, and pictures are drawn at the nearest whole
    pixels, so they are at a wall half as often as anywhere else.

    Args:
        picture: intensities from 0 to 255, float32 [S, S, C].
        side: rows, and columns, of the canvas.
        free: intensity of the background.
    """
    size, _, channels = picture.shape
    frequency = torch.ones(side - size + 1)
    frequency[[0, -1]] = 0.5
    frequency /= frequency.sum()
    # Full convolution of the picture's contribution with its position's distribution.
    places = torch.outer(frequency, frequency).expand(channels, 1, -1, -1)
    added = (picture - free).movedim(2, 0).unsqueeze(0)
    shifted = F.conv2d(added, places, padding=side - size, groups=channels)
    return (shifted[0] + free).movedim(0, 2)
