"""Linear equations of batches, in single precision at least."""

import torch
from torch import Tensor

from memory_cores.kernels import building
from memory_cores.kernels.solve import solve


def solved(matrix: Tensor, rows: Tensor, shift: Tensor) -> Tensor:
    """Multiply rows by the inverse of a shifted symmetric matrix, whatever autocast lowers.

    The gradient is one more solution with the same factor. Without an operator the factor is that
    of any matrix: the gradient of PyTorch's Cholesky factor takes twice as long.

    Args:
        matrix: [..., D, D], symmetric and, shifted, positive definite.
        rows: [..., M, D].
        shift: [...], of the last dimensions of the batch, to be added to the diagonal.

    Returns:
        X: [..., M, D] with ``X @ (matrix + shift I) = rows``, in the type of ``rows``.
    """
    kind = torch.promote_types(rows.dtype, torch.float32)
    matrix, asked, shift = matrix.to(kind), rows.to(kind), shift.to(kind)
    if building.serve(matrix, asked):
        return solve(matrix, asked, shift).to(rows.dtype)
    shifted = torch.addcmul(matrix, shift[..., None, None], identity_like(matrix))
    return solved_by_columns(shifted, asked.mT).mT.to(rows.dtype)


def solved_by_columns(matrix: Tensor, right: Tensor) -> Tensor:
    """Solve ``matrix @ X = right`` for matrices of any kind, likewise.

    Args:
        matrix: [..., D, D], invertible.
        right: [..., D, V].

    Returns:
        X: [..., D, V], in the type of ``right``.
    """
    kind = torch.promote_types(right.dtype, torch.float32)
    with torch.autocast("cpu", enabled=False):
        return torch.linalg.solve_ex(matrix.to(kind), right.to(kind))[0].to(right.dtype)


def identity_like(matrix: Tensor) -> Tensor:
    """Return the identity [D, D] for matrices [..., D, D], in their type and on their device."""
    return torch.eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device)
