"""A dynamic Kanerva machine's steps as two operators: conditioning on a word, and completing some.

Both have their own gradients, which need no products of whole matrices.
"""

import torch
from torch import Tensor


def condition(
    mean: Tensor,
    covariance: Tensor,
    codes: Tensor,
    values: Tensor,
    present: Tensor,
    noise: Tensor,
    code_gain: float,
) -> tuple[Tensor, Tensor]:
    """Condition memories on a word each, ``[code_gain * code; value]``.

    Args:
        mean: [B, H, N, W], R.
        covariance: [B, H, N, N], U.
        codes: [B, H, D].
        values: [B, V], with D + V = W.
        present: [B], 1, or 0 where there is no word.
        noise: [H], sigma^2.
        code_gain: factor of codes in words.

    Returns:
        R and U after the step.
    """
    asked = (part.contiguous() for part in (mean, covariance, codes, values, present, noise))
    mean, covariance, *_ = torch.ops.dkm_kernel.condition(*asked, code_gain)
    return mean, covariance


def complete(mean: Tensor, queries: Tensor, noise: Tensor, code_gain: float) -> Tensor:
    """Complete words of which the codes are known.

    Args:
        mean: [..., H, N, W], R.
        queries: [..., H, M, D], codes.
        noise: [H], sigma^2.
        code_gain: factor of codes in words.

    Returns:
        Values [..., H, M, W - D].
    """
    asked = (part.flatten(0, -4) if part.dim() > 4 else part for part in (mean, queries))
    found, *_ = torch.ops.dkm_kernel.complete(
        *(part.contiguous() for part in asked), noise.contiguous(), code_gain
    )
    return found.view(*mean.shape[:-2], *found.shape[-2:])
