"""The divergence of diagonal Gaussians, for cores that draw what they hold and for the models."""

import torch
from torch import Tensor


def kl_divergence(q: tuple[Tensor, ...], p: tuple[Tensor, ...]) -> Tensor:
    """KL[q || p] in nats, summed over dimensions.

    Args:
        q: mean and log standard deviation, [..., Z].
        p: likewise.

    Returns:
        kl: [...].
    """
    (q_mean, q_log_sigma), (p_mean, p_log_sigma) = q, p
    log_ratio = q_log_sigma - p_log_sigma
    distance = (q_mean - p_mean) * torch.exp(-p_log_sigma)
    return 0.5 * (torch.exp(2 * log_ratio) + distance.square() - 1 - 2 * log_ratio).sum(-1)
