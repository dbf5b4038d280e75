"""Linear equations of batches, in single precision at least."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from memory_cores.kernels import building
from memory_cores.kernels.solve import solve

#: Most rows that the operator solves sooner than LAPACK, which takes them together.
FEW = 8


def exactly(like: Tensor) -> AbstractContextManager[object]:
    """Suspend autocast on a tensor's device: rounded matrices need not be positive definite."""
    kind = like.device.type
    if kind != "meta" and torch.is_autocast_enabled(kind):
        return torch.autocast(kind, enabled=False)
    return nullcontext()


def exact_type(like: Tensor) -> torch.dtype:
    """Return the type of a tensor, or single precision if that is more."""
    return torch.promote_types(like.dtype, torch.float32)


def solved(matrix: Tensor, rows: Tensor, shift: Tensor) -> Tensor:
    """Multiply rows by the inverse of a shifted symmetric matrix; autocast does not lower it.

    A matrix that was itself rounded to bfloat16 is another one: see ``exactly``.

    The gradient is one more solution with the same factor. Without an operator the factor is that
    of any matrix: the gradient of PyTorch's Cholesky factor takes twice as long.

    Args:
        matrix: [..., D, D], symmetric and, shifted, positive definite.
        rows: [..., M, D].
        shift: [...], of the last dimensions of the batch, to be added to the diagonal.

    Returns:
        X: [..., M, D] with ``X @ (matrix + shift I) = rows``, in the type of ``rows``.
    """
    kind = exact_type(rows)
    matrix, asked, shift = matrix.to(kind), rows.to(kind), shift.to(kind)
    if rows.shape[-2] <= FEW and building.serve(matrix, asked):
        return solve(matrix, asked, shift).to(rows.dtype)
    shifted = torch.addcmul(matrix, shift[..., None, None], identity_like(matrix))
    return solved_by_columns(shifted, asked.mT).mT.to(rows.dtype)


def solved_by_columns(matrix: Tensor, right: Tensor) -> Tensor:
    """Solve ``matrix @ X = right`` for matrices of any kind; autocast does not lower it.

    Args:
        matrix: [..., D, D], invertible.
        right: [..., D, V].

    Returns:
        X: [..., D, V], in the type of ``right``.
    """
    kind = exact_type(right)
    with exactly(right):
        return torch.linalg.solve_ex(matrix.to(kind), right.to(kind))[0].to(right.dtype)


def identity_like(matrix: Tensor) -> Tensor:
    """Return the identity [D, D] for matrices [..., D, D], in their type and on their device."""
    return torch.eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device)
