"""Linear equations of batches, in single precision at least."""

import torch
from torch import Tensor


def solved(matrix: Tensor, right: Tensor) -> Tensor:
    """Solve ``matrix @ X = right``, whatever autocast lowers.

    Its gradient is one more solution with the same factors; that of a Cholesky factor takes twice
    as long.

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
