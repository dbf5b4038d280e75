"""Symmetric linear solve as one operator: a Cholesky factor and its substitutions."""

from math import prod

import torch
from torch import Tensor


def solve(matrices: Tensor, rows: Tensor, shifts: Tensor) -> Tensor:
    """Multiply rows by inverses of shifted matrices, with one factor for both passes.

    Args:
        matrices: [..., D, D], symmetric and, shifted, positive definite.
        rows: [..., M, D].
        shifts: [...], trailing batch dimensions; added to diagonals.

    Returns:
        X: [..., M, D], with ``X @ (matrices + shifts I) = rows``.
    """
    batch = torch.broadcast_shapes(matrices.shape[:-2], rows.shape[:-2])
    inputs = (
        x.expand(*batch, *x.shape[-2:]).reshape(prod(batch), *x.shape[-2:]).contiguous()
        for x in (matrices, rows)
    )
    solution, _ = torch.ops.solve_kernel.solve(*inputs, shifts.flatten().contiguous())
    return solution.view(*batch, *solution.shape[-2:])
