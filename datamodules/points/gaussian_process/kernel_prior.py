"""Kernels' paths as functions of standard normal coordinates, for samplers."""

from math import sqrt

import torch
from torch import Tensor

from datamodules.points.gaussian_process.kernel_drift import KernelDrift, reflect

#: The first STARTS rows of a path's coordinates are its start and velocity; the rest are noise.
STARTS = 2


def coordinates(drift: KernelDrift, count: int, steps: int, generator: torch.Generator) -> Tensor:
    """Draw coordinates of paths from their standard normal prior.

    Row 0 is the start, row 1 the velocity, row 1 + t the noise of the move to step t; columns are
    for l and s, or one for both if they are tied.

    Returns:
        float64 [count, steps + 1, W].
    """
    size = count, steps + 1, 1 if drift.tied else 2
    return torch.randn(size, generator=generator, dtype=torch.float64)


def paths(drift: KernelDrift, place: Tensor) -> Tensor:
    """Compute l and s of every step, above the floor, from coordinates.

    Args:
        drift: the prior.
        place: coordinates, float64 [..., T + 1, W].

    Returns:
        float64 [..., T, 2].
    """
    flat = place.flatten(0, -3)
    uniform = 0.5 * (1 + torch.erf(flat[:, :STARTS] / sqrt(2)))
    parts = uniform[:, :1], uniform[:, 1:], flat[:, STARTS:]
    free = drift.walk(*(part.numpy() for part in parts))
    return torch.from_numpy(reflect(free)).view(*place.shape[:-2], -1, 2)
