"""Batched linear solves, in single precision at least."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from memory_cores.kernels import building
from memory_cores.kernels.solve import solve

#: Most rows for which the operator is faster than LAPACK.
FEW = 8


def exactly(like: Tensor) -> AbstractContextManager[object]:
    """Disable autocast on a tensor's device: rounded matrices may not be positive definite."""
    kind = like.device.type
    if kind != "meta" and torch.is_autocast_enabled(kind):
        return torch.autocast(kind, enabled=False)
    return nullcontext()


def exact_type(like: Tensor) -> torch.dtype:
    """Return a tensor's dtype, promoted to single precision at least."""
    return torch.promote_types(like.dtype, torch.float32)


def solved(matrix: Tensor, rows: Tensor, shift: Tensor) -> Tensor:
    """Multiply rows by the inverse of a shifted symmetric matrix; not lowered by autocast.

    Compute the matrix under ``exactly``, too: rounding it to bfloat16 changes the problem.

    The gradient is one more solve with the same factor. The fallback uses a general LU solve: the
    gradient of PyTorch's Cholesky factor takes twice as long.

    Args:
        matrix: [..., D, D], symmetric and, shifted, positive definite.
        rows: [..., M, D].
        shift: [...], trailing batch dimensions; added to the diagonal.

    Returns:
        X: [..., M, D] with ``X @ (matrix + shift I) = rows``, in the dtype of ``rows``.
    """
    kind = exact_type(rows)
    matrix, right, shift = matrix.to(kind), rows.to(kind), shift.to(kind)
    if rows.shape[-2] <= FEW and building.serve(matrix, right):
        return solve(matrix, right, shift).to(rows.dtype)
    shifted = torch.addcmul(matrix, shift[..., None, None], identity_like(matrix))
    with exactly(rows):
        return torch.linalg.solve_ex(shifted, right.mT)[0].mT.to(rows.dtype)


def identity_like(matrix: Tensor) -> Tensor:
    """Return the identity [D, D] for matrices [..., D, D], in their dtype and on their device."""
    return torch.eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device)
