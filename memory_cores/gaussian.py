"""The divergence of diagonal Gaussians, for cores that draw what they hold and for the models."""

import torch
from torch import Tensor


def kl_divergence(q: tuple[Tensor, ...], p: tuple[Tensor, ...]) -> Tensor:
    """KL[q || p] in nats, summed over dimensions, in single precision at least.

    In bfloat16 its terms, which nearly cancel, would be below 0 as often as not.

    Args:
        q: mean and log standard deviation, [..., Z].
        p: likewise.

    Returns:
        kl: [...].
    """
    (q_mean, q_log_sigma), (p_mean, p_log_sigma) = (
        [part.to(torch.promote_types(part.dtype, torch.float32)) for part in parts]
        for parts in (q, p)
    )
    log_ratio = q_log_sigma - p_log_sigma
    distance = (q_mean - p_mean) * torch.exp(-p_log_sigma)
    return 0.5 * (torch.exp(2 * log_ratio) + distance.square() - 1 - 2 * log_ratio).sum(-1)
