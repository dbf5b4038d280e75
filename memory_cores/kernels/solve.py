"""Symmetric linear solve as one operator: a Cholesky factor and its substitutions."""

from math import prod

import torch
from torch import Tensor


def solve(matrices: Tensor, rows: Tensor, shifts: Tensor) -> Tensor:
    """Multiply rows by inverses of shifted matrices, with one factor for both passes.

    Args:
        matrices: [..., D, D], symmetric and, shifted, positive definite.
        rows: [..., M, D].
        shifts: [...], trailing batch dimensions, or one for all; added to diagonals.

    Returns:
        X: [..., M, D], with ``X @ (matrices + shifts I) = rows``.

    Raises:
        ValueError: shifts do not have the batch's last dimensions.
    """
    batch = torch.broadcast_shapes(matrices.shape[:-2], rows.shape[:-2])
    if shifts.numel() > 1 and shifts.shape != batch[len(batch) - shifts.dim() :]:
        raise ValueError(f"shifts must be of the batch {list(batch)}, got {list(shifts.shape)}")
    inputs = (
        x.expand(*batch, *x.shape[-2:]).reshape(prod(batch), *x.shape[-2:]).contiguous()
        for x in (matrices, rows)
    )
    solution, _ = torch.ops.solve_kernel.solve(*inputs, shifts.flatten().contiguous())
    return solution.view(*batch, *solution.shape[-2:])
