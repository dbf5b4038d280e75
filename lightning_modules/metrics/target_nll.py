"""Target-NLL: how well a model predicts a function at its targets.

-E_{z ~ P(Z | C)} log P(Y | X, Z, C) per target, in nats (Yoon et al. 2020, section 5). Here it is
the log of the mean density of K samples (the marginal predictive); the paper uses one sample, for
which the two agree.
"""

from collections.abc import Iterable, Mapping
from math import log
from types import MappingProxyType
from typing import NamedTuple

import torch
from torch import Tensor

from datamodules.points.batch import FunctionSequences
from lightning_modules.likelihoods import Targets
from lightning_modules.metrics.step_means import Measurement, StepSums, Summary
from lightning_modules.objectives import Bound


class Scores(NamedTuple):
    """Scores of a mixture of K predictions at each target."""

    nll: Tensor  #: [B, T, M]
    joint: Tensor  #: [B, T], of all targets of a step jointly, per target
    one_sample: Tensor  #: [B, T, M], of the first of the K predictions
    mean: Tensor  #: [B, T, M, Dy], of the mixture
    variance: Tensor  #: [B, T, M, Dy], of the mixture
    one_mean: Tensor  #: [B, T, M, Dy], of the first prediction

    @classmethod
    def of(cls, predictions: Iterable[Targets], batch: FunctionSequences) -> "Scores":
        """Score K predictions, each [B, T, M, Dy], keeping only their sums in memory."""
        remaining = iter(predictions)
        sums, count = _Sums.of(next(remaining), batch), 1
        one_sample, one_mean = -sums.density, sums.mean
        for targets in remaining:
            sums, count = sums.plus(_Sums.of(targets, batch)), count + 1
        mean = sums.mean / count
        return cls(
            nll=log(count) - sums.density,
            joint=(log(count) - sums.joint) / batch.target_mask.sum(2),
            one_sample=one_sample,
            mean=mean,
            variance=sums.square / count - mean.square(),
            one_mean=one_mean,
        )


class _Sums(NamedTuple):
    """Sums over the predictions so far; the first two are logs of sums of densities."""

    density: Tensor  #: [B, T, M]
    joint: Tensor  #: [B, T]
    mean: Tensor  #: [B, T, M, Dy]
    square: Tensor  #: [B, T, M, Dy], of the predicted values' mean squares

    @classmethod
    def of(cls, targets: Targets, batch: FunctionSequences) -> "_Sums":
        """Return the sums of one prediction."""
        density = targets.log_density(batch.target_y)
        joint = density.masked_fill(~batch.target_mask, 0).sum(2)
        mean, sigma = (part.float() for part in targets)
        return cls(density, joint, mean, mean.square() + sigma.square())

    def plus(self, other: "_Sums") -> "_Sums":
        """Add other predictions."""
        # In logs: joint densities of hundreds of targets underflow.
        return _Sums(
            torch.logaddexp(self.density, other.density),
            torch.logaddexp(self.joint, other.joint),
            self.mean + other.mean,
            self.square + other.square,
        )


def target_measurements(
    scores: Scores, bound: Bound, batch: FunctionSequences
) -> dict[str, Measurement]:
    """Average each step over its targets: all, seen and unseen ones.

    A target is seen if it is one of its own step's context points. ``reconstruction`` and ``kl``
    are the terms of the bound.
    """
    real, seen = batch.target_mask, batch.target_seen
    nll, defined = mean_over(scores.nll, real)
    context = batch.context_mask.any(2)
    error = (scores.mean - batch.target_y).square()
    return {
        "nll": Measurement(nll, defined),
        "nll_with_context": Measurement(nll, context),
        "nll_without_context": Measurement(nll, ~context),
        "nll_seen": mean_over(scores.nll, seen),
        "nll_unseen": mean_over(scores.nll, real & ~seen),
        "nll_joint": Measurement(scores.joint, defined),
        "nll_one_sample": mean_over(scores.one_sample, real),
        "nll_posterior": Measurement(-bound.reconstruction / real.sum(2), defined),
        "mse": mean_over(error.mean(-1), real),
        "squared_z": mean_over((error / scores.variance).mean(-1), real),
        "reconstruction": Measurement(bound.reconstruction, defined),
        "kl": Measurement(bound.kl, defined),
    }


def mean_over(values: Tensor, mask: Tensor) -> Measurement:
    """Average values [B, T, M] over each step's masked targets, where there are any."""
    number = mask.sum(2)
    total = values.masked_fill(~mask, 0).sum(2)
    return Measurement(total / number.clamp(min=1), number > 0)


def summarise_targets(
    sums: Mapping[str, StepSums],
    optimal: Mapping[str, Tensor] = MappingProxyType({}),
    inferred: Mapping[str, Tensor] = MappingProxyType({}),
) -> Summary:
    """Average over sequences, in nats per target; ``bound``: per sequence, ``kl``: per step.

    The curve ``context_share`` is the share of sequences that have a context at a step.

    Args:
        sums: the sums of ``target_measurements`` and any other measurements.
        optimal: curves [T] of the oracle on the same sequences, its NLLs and ``squared_z``; may be
            empty. Each adds ``gap_<name>`` and a curve ``optimal_<name>``.
        inferred: curves [T], ``nll`` and ``effective_samples``, of the oracle that infers the
            kernels; may be empty. They add ``gap_inferred_nll`` and curves ``inferred_<name>``.
    """
    kl, reconstruction = sums["kl"], sums["reconstruction"]
    defined = [name for name in sums if not sums[name].nowhere]
    scalars = {name: sums[name].mean for name in defined}
    for suffix in ("", "_one_sample"):
        if (name := f"overlap_without_context{suffix}") in defined:
            late = sums[name].since(len(kl.total) // 2 + 1)
            scalars |= {} if late.nowhere else {f"overlap_late{suffix}": late.mean}
    scalars["bound"] = (reconstruction.curve - kl.curve).sum()
    scalars["latent_gain"] = scalars["nll_one_sample"] - scalars["nll_posterior"]
    curves = {name: sums[name].curve for name in defined}
    curves["context_share"] = sums["nll_with_context"].sequences / sums["nll"].sequences
    for name in (name for name in defined if name in optimal):
        curves[f"optimal_{name}"] = curve = optimal[name].to(curves[name])
        scalars[f"gap_{name}"] = scalars[name] - _mean_weighted_as(sums[name], curve)
    for name, curve in inferred.items():
        curves[f"inferred_{name}"] = curve.to(curves["nll"])
    if inferred:
        reference = _mean_weighted_as(sums["nll"], curves["inferred_nll"])
        scalars["gap_inferred_nll"] = scalars["nll"] - reference
    return Summary(scalars, curves, int(sums["kl"].sequences.max()))


def _mean_weighted_as(sums: StepSums, curve: Tensor) -> Tensor:
    """Average a curve with the steps' weights in a model's mean."""
    # A step without sequences is NaN in the curve and has weight 0: NaN * 0 must not count.
    return (curve * sums.sequences).nan_to_num(0).sum() / sums.sequences.sum()
