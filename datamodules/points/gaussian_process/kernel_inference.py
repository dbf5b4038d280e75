"""Inference of kernels: predictions of drifting functions for one who does not know the kernels.

Kernels are drawn from the generator and weighted by the evidence of the contexts so far; the
predictive is the mixture of what each of them predicts. No model is given the kernels, so in the
limit of many samples this is a fair bound.

With few samples it is none: observations have no noise, so after some steps one kernel that is only
nearly right has all the weight and makes it sure of what is wrong (transfer-prediction has one
effective sample of 100 from step 3 on). Assuming an error of the observations, `noise`, makes up
for that. Then it is a predictor that one can really have, and the fair bound lies between it and
the oracle (`oracle.py`), which knows the kernels; `effective_samples` shows how far to trust it.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from datamodules.points.batch import FunctionSequences
from datamodules.points.gaussian_process.draws import factors
from datamodules.points.gaussian_process.oracle import NOISE, condition, nll


class MixtureNLL(NamedTuple):
    """NLL of actual targets under a mixture over kernels."""

    nll: Tensor
    """Of every target, in nats, float64 [B, T, M]; meaningless where it is padding."""
    effective_samples: Tensor
    """1 / sum of the squared normalised weights, float64 [B, T], from 1 to S."""


def infer(
    kernels: Tensor, sequences: FunctionSequences, points: int, noise: float = NOISE
) -> MixtureNLL:
    """Mix the predictions of sampled kernels, each floored as the decoder's Gaussians are.

    Every step has weights of its own: contexts of later steps are not known to it.

    Args:
        kernels: samples of length scale and scale from the generator (`KernelDrift.paths`), the
            same for all sequences, float32 [S, T, 2].
        sequences: B drifting functions.
        points: number G of points of the grid that they were generated on.
        noise: standard deviation of the error that observations are assumed to have; 0.03 to 0.05
            is best for a thousand samples.
    """
    target = sequences.target_y[..., 0].double()
    total = squares = torch.full_like(target[..., 0], -torch.inf)
    joint = torch.full_like(target, -torch.inf)
    for kernel in kernels:
        mean, variance, evidence = condition(factors(kernel, points), sequences, noise)
        joint = torch.logaddexp(joint, evidence.unsqueeze(-1) - nll(target, mean, variance))
        total = torch.logaddexp(total, evidence)
        squares = torch.logaddexp(squares, 2 * evidence)
    return MixtureNLL(total.unsqueeze(-1) - joint, (2 * total - squares).exp())
