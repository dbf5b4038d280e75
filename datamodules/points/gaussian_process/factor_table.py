"""Interpolates rows of factors L from a table, so that inference can try millions of kernels.

Factoring a kernel costs G^2 operations (`draws.py`), but inference needs only a few rows of L. L is
smooth in log l and log s, so rows of L / s are interpolated by cubics in both. A row's error is
below 1e-3, far less than the jitter in it, which is 0.02 or more.
"""

from math import ceil

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from datamodules.points.gaussian_process.draws import TOGETHER, cholesky_columns, first_column

#: Distance of neighbouring nodes in log l and in log s.
SPACING = (0.04, 0.2)


class FactorTable:
    """Factors L / s of a grid of G points at regular nodes of log l and log s.

    It takes 4 G^2 bytes per node: 1.2 GB for the 400 points and 1,900 nodes of sparse contexts.
    """

    def __init__(self, low: Tensor, high: Tensor, points: int) -> None:
        """Tabulate the factors of the kernels from low to high, in a few seconds.

        Args:
            low: least length scale and scale, both positive, [2].
            high: largest length scale and scale, [2].
            points: number G of grid points.
        """
        spacing = torch.tensor(SPACING, dtype=torch.float64)
        # One extra node at either end, since a cubic needs two on each side.
        self.first = low.double().log() - spacing
        sizes = ((high.double().log() - self.first) / spacing).tolist()
        self.nodes = [max(4, ceil(size) + 2) for size in sizes]
        self.points = points
        axes = [
            (first + step * torch.arange(count, dtype=torch.float64)).exp()
            for first, step, count in zip(self.first, spacing, self.nodes, strict=True)
        ]
        kernels = torch.cartesian_prod(*axes)
        self.table = torch.zeros(len(kernels) * points, points)
        parts = self.table.view(-1, points, points).split(TOGETHER)
        for part, kernel in zip(parts, kernels.split(TOGETHER), strict=True):
            for k, column in enumerate(cholesky_columns(first_column(kernel, points))):
                part[:, k:, k] = (column / kernel[:, 1]).T

    def rows(self, kernels: Tensor, point: Tensor) -> Tensor:
        """Interpolate rows of L.

        Args:
            kernels: length scale and scale within the table, float64 [..., 2].
            point: index of the row, that is, of the grid point, int64 [...].

        Returns:
            Row `point` of the kernel's L, float64 [..., G].
        """
        place = (kernels.log() - self.first) / torch.tensor(SPACING, dtype=torch.float64)
        most = torch.tensor(self.nodes) - 3
        below = place.floor().long().clamp_min(1).minimum(most)
        weights = _cubic(place - below)
        near = below.unsqueeze(-1) + torch.arange(-1, 3)
        node = near[..., 0, :, None] * self.nodes[1] + near[..., 1, None, :]
        index = node * self.points + point[..., None, None]
        weight = weights[..., 0, :, None] * weights[..., 1, None, :] * kernels[..., 1, None, None]
        rows = embedding_bag(
            index.reshape(-1, 16),
            self.table,
            per_sample_weights=weight.reshape(-1, 16).float(),
            mode="sum",
        )
        return rows.view(*point.shape, self.points).double()


def _cubic(place: Tensor) -> Tensor:
    """Return the Lagrange weights of the values at -1, 0, 1 and 2 at a place, [..., 4]."""
    x = place.unsqueeze(-1)
    return torch.cat(
        [
            x * (x - 1) * (2 - x) / 6,
            (x + 1) * (x - 1) * (x - 2) / 2,
            x * (x + 1) * (2 - x) / 2,
            (x + 1) * x * (x - 1) / 6,
        ],
        dim=-1,
    )
