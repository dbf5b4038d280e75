"""Solutions of symmetric equations as one operator: a Cholesky factor, and its substitutions."""

from math import prod

import torch
from torch import Tensor


def solve(matrices: Tensor, rows: Tensor, shifts: Tensor) -> Tensor:
    """Return rows times the inverses of shifted matrices, with one factor for both passes.

    Args:
        matrices: [..., D, D], symmetric and, shifted, positive definite.
        rows: [..., M, D].
        shifts: [...], of the last dimensions of a batch, to be added to diagonals.

    Returns:
        X: [..., M, D], with ``X @ (matrices + shifts I) = rows``.
    """
    batch = torch.broadcast_shapes(matrices.shape[:-2], rows.shape[:-2])
    asked = (
        x.expand(*batch, *x.shape[-2:]).reshape(prod(batch), *x.shape[-2:]).contiguous()
        for x in (matrices, rows)
    )
    found, _ = torch.ops.solve_kernel.solve(*asked, shifts.flatten().contiguous())
    return found.view(*batch, *found.shape[-2:])
