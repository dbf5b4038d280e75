"""What a canvas looks like on average, to one who does not know where the picture is."""

import torch
import torch.nn.functional as F
from torch import Tensor


def mean_canvas(picture: Tensor, side: int, free: int) -> Tensor:
    """Average a canvas over all places of a picture, float32 [side, side, C].

    A path is uniform on each axis at every step, and pictures are drawn at the nearest whole
    pixels: they are at a wall half as often as at any other place.

    Args:
        picture: intensities from 0 to 255, float32 [S, S, C].
        side: rows, and columns, of the canvas.
        free: intensity of what the picture leaves free.
    """
    size, _, channels = picture.shape
    often = torch.ones(side - size + 1)
    often[[0, -1]] = 0.5
    often /= often.sum()
    # Full convolution of what the picture adds with how often it is where.
    places = torch.outer(often, often).expand(channels, 1, -1, -1)
    added = (picture - free).movedim(2, 0).unsqueeze(0)
    shifted = F.conv2d(added, places, padding=side - size, groups=channels)
    return (shifted[0] + free).movedim(0, 2)
