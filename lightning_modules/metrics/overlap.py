"""Overlap of predicted and true pictures that are ink on a white canvas."""

import torch
from torch import Tensor

from datamodules.points.batch import FunctionSequences
from lightning_modules.metrics.step_means import Measurement


def overlap_measurements(
    mean: Tensor, one_sample: Tensor, batch: FunctionSequences
) -> dict[str, Measurement]:
    """Measure the intersection over union of the inked pixels, those darker than half.

    Args:
        mean: predicted values, ink -0.5 and paper 0.5, [B, T, M, 1].
        one_sample: the same for a single sample of the latents. Where the latents carry what the
            memory does not, the mean of many samples is a blur, but each sample a picture.
        batch: sequences whose targets are all pixels, so that the union is never empty.
    """
    overlap, of_sample = (_overlap(values, batch.target_y) for values in (mean, one_sample))
    empty = ~batch.context_mask.any(2)
    return {
        "overlap": Measurement(overlap, torch.ones_like(empty)),
        "overlap_without_context": Measurement(overlap, empty),
        "overlap_without_context_one_sample": Measurement(of_sample, empty),
    }


def _overlap(predicted: Tensor, true: Tensor) -> Tensor:
    """Return the overlap [B, T] of values [B, T, M, 1]."""
    # Grey values run from -0.5 (ink) to 0.5 (paper): 0 is half.
    inked, true_ink = (values[..., 0] < 0 for values in (predicted, true))
    return (inked & true_ink).sum(2) / (inked | true_ink).sum(2)
