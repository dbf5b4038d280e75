"""Views that a camera returns to: does a model generate the room that it was shown?

Gemici et al. 2017, section 5.7 and figure 28: the second turn must show what the first one did.
"""

import torch
from torch import Tensor
from torchmetrics.functional.image import (
    peak_signal_noise_ratio,
    structural_similarity_index_measure,
)

from datamodules.frames.batch import FrameSequences
from lightning_modules.metrics.prior_recall import squared_error
from lightning_modules.metrics.step_means import Measurement


def returned_view_measurements(
    logits: Tensor, batch: FrameSequences, prefix: int
) -> dict[str, Measurement]:
    """Compare generated views with those that were shown of the same place, and of another room.

    Args:
        logits: frames generated after the prefix, as logits [B, T, C, H, W].
        batch: the truth. The other room is that of the sequence whose id differs in the last bit;
            it must be in the batch, too.
        prefix: number of frames that were given.

    Returns:
        At generated steps whose answer was given: ``returned_error``, mean squared error against
        the view that was given, in intensities squared, ``returned_error_other``, against the view
        that was given at that step in the other room, ``returned_psnr`` in decibels, and
        ``returned_ssim``.
    """
    steps = torch.arange(logits.shape[1], device=logits.device)
    known = (steps >= prefix) & (batch.recalled_from >= 0) & (batch.recalled_from < prefix)
    frames, shown = logits.sigmoid(), first_views(batch.frames, batch.recalled_from)
    room, there = others(batch.episode)
    other = first_views(batch.frames[room.to(frames.device)], batch.recalled_from)
    flat = frames.flatten(0, 1).float(), shown.flatten(0, 1).float()
    psnr = peak_signal_noise_ratio(*flat, data_range=1.0, dim=(1, 2, 3), reduction="none")
    ssim = structural_similarity_index_measure(*flat, data_range=1.0, reduction="none")
    assert isinstance(ssim, Tensor), "one number an image"
    return {
        "returned_error": Measurement(squared_error(frames, shown), known),
        "returned_error_other": Measurement(
            squared_error(frames, other), known & there.to(known.device).unsqueeze(1)
        ),
        "returned_psnr": Measurement(psnr.view_as(known), known),
        "returned_ssim": Measurement(ssim.view_as(known), known),
    }


def first_views(frames: Tensor, recalled_from: Tensor) -> Tensor:
    """Return the frame that holds the answer of each step, [B, T, ...]; else the first frame."""
    each = torch.arange(len(frames), device=frames.device).unsqueeze(1)
    return frames[each, recalled_from.clamp(min=0)]


def others(episode: Tensor) -> tuple[Tensor, Tensor]:
    """Find each sequence's partner, whatever batches a set is divided into.

    Args:
        episode: ids [B].

    Returns:
        Its place in the batch, int64 [B], and whether it is there, bool [B].
    """
    same = (episode ^ 1).unsqueeze(1) == episode
    return same.int().argmax(1), same.any(1)
