"""Interpolated rows of factors against the factors themselves."""

import torch

from datamodules.points.gaussian_process.draws import factors
from datamodules.points.gaussian_process.factor_table import FactorTable


def test_rows_are_those_of_the_factors_up_to_the_ends_of_the_table() -> None:
    low, high, points = torch.tensor([0.3, 0.4]), torch.tensor([1.1, 2.0]), 60
    table = FactorTable(low, high, points)
    generator = torch.Generator().manual_seed(0)
    share = torch.rand(40, 2, generator=generator, dtype=torch.float64)
    kernels = low + (high - low) * torch.cat([torch.tensor([[0.0, 0], [1, 1], [0, 1]]), share])
    point = torch.randint(points, (43,), generator=generator)
    exact = factors(kernels, points)[torch.arange(43), point]
    error = torch.linalg.vector_norm(table.rows(kernels, point) - exact, dim=1)
    assert error.max() < 5e-4, "far below the jitter of 0.02"


def test_a_table_of_one_kernel_has_it() -> None:
    kernel = torch.tensor([0.8, 1.3])
    rows = FactorTable(kernel, kernel, 30).rows(kernel.double().expand(30, 2), torch.arange(30))
    torch.testing.assert_close(rows, factors(kernel, 30), atol=1e-4, rtol=0)
