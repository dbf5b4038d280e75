"""Steps of a dynamic Kanerva machine as two operators: condition on a word, complete words.

Their gradients need no products of whole matrices.
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
    """Condition each memory on a word, ``[code_gain * code; value]``.

    Args:
        mean: [B, H, N, W], R.
        covariance: [B, H, N, N], U.
        codes: [B, H, D].
        values: [B, V], with D + V = W.
        present: [B], 1, or 0 without a word.
        noise: [H], sigma^2.
        code_gain: factor of codes in words.

    Returns:
        R and U after the step.
    """
    inputs = (part.contiguous() for part in (mean, covariance, codes, values, present, noise))
    mean, covariance, *_ = torch.ops.dkm_kernel.condition(*inputs, code_gain)
    return mean, covariance


def complete(mean: Tensor, queries: Tensor, noise: Tensor, code_gain: float) -> Tensor:
    """Complete words from their codes.

    Args:
        mean: [..., H, N, W], R.
        queries: [..., H, M, D], codes.
        noise: [H], sigma^2.
        code_gain: factor of codes in words.

    Returns:
        Values [..., H, M, W - D].
    """
    inputs = (part.flatten(0, -4) if part.dim() > 4 else part for part in (mean, queries))
    values, *_ = torch.ops.dkm_kernel.complete(
        *(part.contiguous() for part in inputs), noise.contiguous(), code_gain
    )
    return values.view(*mean.shape[:-2], *values.shape[-2:])
