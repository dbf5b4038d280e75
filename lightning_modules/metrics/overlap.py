"""Overlap of a predicted picture with the true one, where pictures are ink on a white canvas."""

import torch
from torch import Tensor

from datamodules.points.batch import FunctionSequences
from lightning_modules.metrics.step_means import Measurement


def overlap_measurements(
    mean: Tensor, one_sample: Tensor, batch: FunctionSequences
) -> dict[str, Measurement]:
    """Intersection over union of the inked pixels, those darker than half.

    Args:
        mean: predicted values, ink -0.5 and paper 0.5, [B, T, M, 1].
        one_sample: the same, given a single sample of the latents: where these tell what the memory
            does not, the mean of many is a cloud, and one of them a picture.
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
    """[B, T], of values [B, T, M, 1]."""
    ours, theirs = (values[..., 0] < 0 for values in (predicted, true))
    return (ours & theirs).sum(2) / (ours | theirs).sum(2)
