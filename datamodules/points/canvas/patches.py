"""Patches of a canvas with a picture on it, as points of a function.

A patch is located by its first pixel, among all possible first pixels. The paper's text centres
patches at their locations, which differs only by the scale.
"""

from math import isqrt

import torch
from torch import Tensor

from datamodules.points.canvas.canvas import WHITE


def patches_at(
    index: Tensor, pictures: Tensor, corners: Tensor, side: int, patch: int, free: int = WHITE
) -> Tensor:
    """Return the values of some patches of canvases with a picture each.

    Args:
        index: indices of the patches' first pixels, in rows of side - patch + 1, int64 [B, T, K].
        pictures: one for all canvases of a sequence, [B, S, S, C]; from 0 to 255, of any type.
        corners: row and column of each picture's first pixel, int64 [B, T, 2]; the whole picture
            is on the canvas.
        side: rows, and columns, of a canvas.
        patch: rows, and columns, of a patch.
        free: intensity of the background, from 0 to 255.

    Returns:
        Values in [-0.5, 0.5], float32 [B, T, K, C * patch * patch], channel by channel.
    """
    canvases = painted(pictures, corners, side, free)
    windows = canvases.unfold(2, patch, 1).unfold(3, patch, 1)  # [B, T, G, G, C, patch, patch]
    line = side - patch + 1
    sequence = torch.arange(len(index)).view(-1, 1, 1)
    step = torch.arange(index.shape[1]).view(1, -1, 1)
    return windows[sequence, step, index // line, index % line].flatten(3).float() / WHITE - 0.5


def canvases_of(tiles: Tensor, patch: tuple[int, int, int]) -> Tensor:
    """Assemble canvases from patches that cover them.

    Args:
        tiles: values of the patches row by row, as many rows as columns, [..., K, C * P * P].
        patch: channels, height and width.

    Returns:
        The same values, [..., C, side, side].
    """
    count = isqrt(tiles.shape[-2])
    grid = tiles.unflatten(-1, patch).unflatten(-4, (count, count))
    # [..., row, column, C, y, x] -> [..., C, row, y, column, x]
    channels = grid.movedim(-3, -5).movedim(-2, -3)
    return channels.flatten(-2).flatten(-3, -2)


def first_pixels(x: Tensor, side: int, patch: int) -> Tensor:
    """Return row and column of the first pixel of patches at locations x in [-1, 1], [..., 2]."""
    return ((x + 1) / 2 * (side - patch)).round().long()


def covered(x: Tensor, mask: Tensor, side: int, patch: int) -> Tensor:
    """Return which pixels of a canvas the patches cover, bool [T, side, side].

    Args:
        x: locations of the patches, [T, N, 2].
        mask: which of them are real, bool [T, N].
        side: rows, and columns, of the canvas.
        patch: rows, and columns, of a patch.
    """
    firsts = first_pixels(x, side, patch)
    shown = torch.zeros(len(x), side, side, dtype=torch.bool)
    for t, step in enumerate(firsts):
        for row, column in step[mask[t]].tolist():
            shown[t, row : row + patch, column : column + patch] = True
    return shown


def painted(pictures: Tensor, corners: Tensor, side: int, free: int) -> Tensor:
    """Paint pictures [B, S, S, C] on canvases, [B, T, side, side, C] of the same type."""
    (count, size), steps = pictures.shape[:2], corners.shape[1]
    canvases = pictures.new_full((count, steps, side, side, pictures.shape[3]), free)
    for b in range(count):
        for t, (row, column) in enumerate(corners[b].tolist()):
            canvases[b, t, row : row + size, column : column + size] = pictures[b]
    return canvases
