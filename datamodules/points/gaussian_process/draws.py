"""Functions from Gaussian processes on a regular grid, each from one white vector.

A function is y = L w, with K = L L^T the kernel's matrix on the grid and w white. With w fixed and
K drifting, y drifts smoothly. K is Toeplitz, because the grid is regular and the kernel stationary,
so Schur's algorithm computes L column by column from K's first column: G^2 operations instead of
G^3, elementwise over all matrices at once. So results are bitwise equal in every batch, which no
library's batched Cholesky guarantees.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

#: Ends of the grid; the right one is not in it.
LEFT, RIGHT = -4.0, 4.0
#: Standard deviation of the white noise in every function; it makes K safe to factor in float64.
JITTER = 0.02
#: Number of matrices factored at once, to fit a core's cache.
TOGETHER = 800


def grid(points: int) -> Tensor:
    """Regular grid on [-4, 4), float32 [G]."""
    steps = torch.arange(points, dtype=torch.float64) / points
    return (LEFT + (RIGHT - LEFT) * steps).float()


def grid_index(x: Tensor, points: int) -> Tensor:
    """Return the index of every x on the grid, int64 of the same shape."""
    return ((x.double() - LEFT) * points / (RIGHT - LEFT)).round().long()


def first_column(kernels: Tensor, points: int) -> Tensor:
    """Return the first column of the squared-exponential kernel's matrix, with jitter.

    Args:
        kernels: length scale and scale, both positive, [..., 2].
        points: number G of grid points.

    Returns:
        s^2 exp(-d^2 / (2 l^2)) + 0.02^2 [d = 0] at distances d from the grid's first point,
        float64 [G, ...].
    """
    length_scale, scale = kernels.double().unbind(-1)
    spacing = (RIGHT - LEFT) / points
    distance = torch.arange(points, dtype=torch.float64, device=kernels.device) * spacing
    ratio = distance.view(-1, *[1] * length_scale.dim()) / length_scale
    column = (-0.5 * ratio.square()).exp() * scale.square()
    column[0] += JITTER**2
    return column


def cholesky_columns(column: Tensor) -> Iterator[Tensor]:
    """Yield the columns of L, where L L^T is the Toeplitz matrix with this first column.

    Each column's buffer is overwritten by the next.

    Args:
        column: first columns of positive definite matrices, [G, ...].

    Yields:
        Column k of L from its diagonal down, [G - k, ...].
    """
    upper = column / column[0].sqrt()
    lower = upper.clone()
    yield upper
    for _ in range(1, len(column)):
        upper, lower = upper[:-1], lower[1:]
        # A hyperbolic rotation zeroes the first entry of `lower`; this order is stable.
        sine = lower[0] / upper[0]
        cosine = ((1 - sine) * (1 + sine)).sqrt()
        upper.sub_(sine * lower).mul_(1 / cosine)
        lower.mul_(cosine).sub_(sine * upper)
        yield upper


def factors(kernels: Tensor, points: int) -> Tensor:
    """Compute the factors L of kernels [..., 2] on a grid of G points, float64 [..., G, G]."""
    column = first_column(kernels, points).movedim(0, -1)
    lags = torch.cat([column.flip(-1)[..., :-1], column], dim=-1)
    # Row i of the Toeplitz matrix is the window of `lags` that ends i places from its right end.
    return torch.linalg.cholesky(lags.unfold(-1, points, 1).flip(-2))


def draw_functions(kernels: Tensor, white: Tensor) -> Tensor:
    """Draw sequences of functions, each sequence from one white vector.

    Args:
        kernels: length scale and scale of every step, [B, T, 2].
        white: standard normal numbers, float64 [B, G].

    Returns:
        The functions L_t w on the grid, float64 [B, T, G].
    """
    sequences = max(1, TOGETHER // kernels.shape[1])
    parts = zip(kernels.split(sequences), white.split(sequences), strict=True)
    return torch.cat([_draw_functions(*part) for part in parts])


def _draw_functions(kernels: Tensor, white: Tensor) -> Tensor:
    weights = white.T.unsqueeze(-1)
    column = first_column(kernels, white.shape[1])
    values = torch.zeros_like(column)
    for k, part in enumerate(cholesky_columns(column)):
        values[k:] += part * weights[k]
    return values.permute(1, 2, 0).contiguous()
