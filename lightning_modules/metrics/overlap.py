"""Overlap of a predicted picture with the true one, where pictures are ink on a white canvas."""

import torch
from torch import Tensor

from datamodules.function_batch import FunctionSequences
from lightning_modules.metrics.step_means import Measurement

OVERLAP_NAMES = ("overlap", "overlap_without_context")


def overlap_measurements(mean: Tensor, batch: FunctionSequences) -> dict[str, Measurement]:
    """Intersection over union of the inked pixels, those darker than half.

    Args:
        mean: predicted values, ink -0.5 and paper 0.5, [B, T, M, 1].
        batch: sequences whose targets are all pixels, so that the union is never empty.
    """
    predicted, true = (values[..., 0] < 0 for values in (mean, batch.target_y))
    overlap = (predicted & true).sum(2) / (predicted | true).sum(2)
    empty = ~batch.context_mask.any(2)
    return {
        "overlap": Measurement(overlap, torch.ones_like(empty)),
        "overlap_without_context": Measurement(overlap, empty),
    }
