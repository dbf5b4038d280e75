"""Functions on a grid against dense linear algebra, and their covariance by Monte Carlo."""

import math

import pytest
import torch
from torch import Tensor

from datamodules.points.gaussian_process import draws as gp

KERNELS = torch.tensor([[0.1, 0.1], [0.1, 3.0], [0.7, 1.0], [1.9, 3.1], [3.5, 6.0]])


def matrix(kernel: Tensor, points: int) -> Tensor:
    """The kernel's matrix, entry by entry."""
    x, (length_scale, scale) = [-4 + 8 * i / points for i in range(points)], kernel.tolist()
    return torch.tensor(
        [
            [
                scale**2 * math.exp(-((a - b) ** 2) / (2 * length_scale**2)) + 4e-4 * (a == b)
                for a in x
            ]
            for b in x
        ],
        dtype=torch.float64,
    )


@pytest.mark.parametrize(("points", "spacing"), [(100, 0.08), (400, 0.02)])
def test_the_grid_is_regular_and_half_open(points: int, spacing: float) -> None:
    x = gp.grid(points)
    assert x.dtype == torch.float32 and x[0] == -4 and x[points // 2] == 0
    assert torch.allclose(x.diff(), torch.full((points - 1,), spacing), atol=1e-6)
    assert x[-1] == pytest.approx(4 - spacing)
    assert torch.equal(gp.grid_index(x, points), torch.arange(points))


@pytest.mark.parametrize("points", [2, 57, 100])
def test_both_factorisations_agree_with_dense_matrices(points: int) -> None:
    dense = torch.stack([matrix(kernel, points) for kernel in KERNELS])
    assert torch.allclose(gp.factors(KERNELS, points), torch.linalg.cholesky(dense), atol=1e-9)
    columns = gp.cholesky_columns(gp.first_column(KERNELS, points))
    rebuilt = torch.zeros_like(dense)
    for k, column in enumerate(columns):
        rebuilt[:, k:, k] = column.T
    assert torch.allclose(rebuilt @ rebuilt.mT, dense, atol=1e-12)
    assert torch.allclose(rebuilt, torch.linalg.cholesky(dense), atol=1e-8)


def test_a_function_is_the_factor_times_the_white_vector_in_any_batch() -> None:
    generator = torch.Generator().manual_seed(0)
    kernels = 0.1 + 2 * torch.rand(90, 10, 2, generator=generator)
    white = torch.randn(90, 40, generator=generator, dtype=torch.float64)
    functions = gp.draw_functions(kernels, white)
    assert len(kernels) * kernels.shape[1] > gp.TOGETHER
    dense = gp.factors(kernels, 40) @ white[:, None, :, None]
    assert torch.allclose(functions, dense.squeeze(-1), atol=1e-9)
    for row in (0, 41, 89):
        assert torch.equal(
            gp.draw_functions(kernels[row, None], white[row, None])[0], functions[row]
        )


def test_values_have_the_kernels_covariance() -> None:
    """The covariance of two steps is L_1 L_2^T, as their white vector is the same."""
    count, points = 20_000, 16
    white = torch.randn(
        count, points, generator=torch.Generator().manual_seed(1), dtype=torch.float64
    )
    kernels = torch.tensor([[0.8, 1.2], [1.4, 2.0]])
    y = gp.draw_functions(kernels.expand(count, 2, 2), white).flatten(1)
    factors = torch.cat([torch.linalg.cholesky(matrix(kernel, points)) for kernel in kernels])
    expected = factors @ factors.T
    assert torch.allclose(expected[:points, :points], matrix(kernels[0], points))
    # Wick: the variance of a product of two Gaussians is C_ii C_jj + C_ij^2.
    diagonal = expected.diagonal()
    error = ((torch.outer(diagonal, diagonal) + expected.square()) / count).sqrt()
    z = (y.T @ y / count - expected) / error
    assert z.abs().max() < 5 and 0.5 < z.square().mean() < 2
