"""The best that can be said of a drifting function by one who must infer its kernels.

Kernels are drawn from the generator and weighted by the evidence of the contexts so far; the
predictive is the mixture of what each would say. No model is told the kernels, so in the limit of
many samples this is the honest bound.

With few, it is not: observations have no noise, so after some steps one kernel that is hardly right
has all the weight, and is sure of what is wrong (transfer-prediction has one effective sample of
100 from step 3 on). Taking the observations to have an error, `noise`, makes up for kernels that
are nearly right. It is then a predictor that can be had, and the honest bound lies between it and
`oracle` beside this file, which is told the kernels; `effective_samples` says how far to trust it.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from datamodules.points.batch import FunctionSequences
from datamodules.points.gaussian_process.draws import factors
from datamodules.points.gaussian_process.oracle import NOISE, condition, nll


class Inferred(NamedTuple):
    """What a mixture over kernels says of actual targets."""

    nll: Tensor
    """Of every target, in nats, float64 [B, T, M]; without meaning where it is padding."""
    effective_samples: Tensor
    """1 / sum of the squared normalised weights, float64 [B, T], from 1 to S."""


def infer(
    kernels: Tensor, sequences: FunctionSequences, points: int, noise: float = NOISE
) -> Inferred:
    """Mix the predictions of sampled kernels, each floored as the decoder's Gaussians are.

    Every step has weights of its own: contexts of later steps are not known to it.

    Args:
        kernels: samples of length scale and scale from the generator (`KernelDrift.paths`), the
            same for all sequences, float32 [S, T, 2].
        sequences: B drifting functions.
        points: G, of the grid that they were generated on.
        noise: standard deviation of the error that observations are taken to have; 0.03 to 0.05
            serves a thousand samples best.
    """
    target = sequences.target_y[..., 0].double()
    total = squares = torch.full_like(target[..., 0], -torch.inf)
    joint = torch.full_like(target, -torch.inf)
    for kernel in kernels:
        mean, variance, evidence = condition(factors(kernel, points), sequences, noise)
        joint = torch.logaddexp(joint, evidence.unsqueeze(-1) - nll(target, mean, variance))
        total = torch.logaddexp(total, evidence)
        squares = torch.logaddexp(squares, 2 * evidence)
    return Inferred(total.unsqueeze(-1) - joint, (2 * total - squares).exp())
