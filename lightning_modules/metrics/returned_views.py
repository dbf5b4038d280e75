"""Views to which a camera returns: does a model generate the room that it was shown?

Gemici et al. 2017, section 5.7 and figure 28: the second turn must show the views of the first.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torchmetrics.functional.image import (
    peak_signal_noise_ratio,
    structural_similarity_index_measure,
)

from datamodules.frames.batch import FrameSequences
from lightning_modules.metrics.answers import OLD_AGE
from lightning_modules.metrics.prior_recall import squared_error
from lightning_modules.metrics.step_means import Measurement

#: Cap for identical frames, whose PSNR would be infinite, and with it the mean.
MOST_DECIBELS = 100.0


def returned_view_measurements(
    logits: Tensor, batch: FrameSequences, prefix: int
) -> dict[str, Measurement]:
    """Compare generated views with the given views of the same place and of other rooms.

    Args:
        logits: frames generated after the prefix, as logits [B, T, C, H, W].
        batch: the truth, and the other rooms.
        prefix: number of given frames.

    Returns:
        At generated steps whose answer was given at least ``OLD_AGE`` steps before:
        ``returned_error``, mean squared error against the given view, in intensities squared;
        ``returned_error_other``, the mean error against the views given at that step in all other
        rooms of the batch; ``returned_psnr`` in decibels, at most ``MOST_DECIBELS``; and
        ``returned_ssim``.
    """
    steps = torch.arange(logits.shape[1], device=logits.device)
    # A camera that turns back first shows what it has just seen.
    old = (batch.recalled_from >= 0) & (steps - batch.recalled_from >= OLD_AGE)
    where = old & (steps >= prefix) & (batch.recalled_from < prefix)
    frames, shown = logits.sigmoid(), first_views(batch.frames, batch.recalled_from)
    return {
        "returned_error": Measurement(squared_error(frames, shown), where),
        "returned_error_other": Measurement(
            error_to_others(frames, batch), where & (len(frames) > 1)
        ),
        "returned_psnr": Measurement(_of_pairs(_psnr, frames, shown, where), where),
        "returned_ssim": Measurement(_of_pairs(_ssim, frames, shown, where), where),
    }


def _of_pairs(
    measure: Callable[[Tensor, Tensor], Tensor], frames: Tensor, shown: Tensor, where: Tensor
) -> Tensor:
    """Measure the frames [B, T, C, H, W] at the steps ``where``, [B, T]; NaN elsewhere."""
    values = torch.full(where.shape, torch.nan, device=where.device)
    if where.any():
        values[where] = measure(frames[where].float(), shown[where].float())
    return values


def _psnr(frames: Tensor, shown: Tensor) -> Tensor:
    psnr = peak_signal_noise_ratio(frames, shown, data_range=1.0, dim=(1, 2, 3), reduction="none")
    return psnr.clamp(max=MOST_DECIBELS)


def _ssim(frames: Tensor, shown: Tensor) -> Tensor:
    ssim = structural_similarity_index_measure(frames, shown, data_range=1.0, reduction="none")
    assert isinstance(ssim, Tensor), "one number per image"
    return ssim


def first_views(frames: Tensor, recalled_from: Tensor) -> Tensor:
    """Return the frame that holds each step's answer, [B, T, ...]; the first frame without one."""
    each = torch.arange(len(frames), device=frames.device).unsqueeze(1)
    return frames[each, recalled_from.clamp(min=0)]


def error_to_others(frames: Tensor, batch: FrameSequences) -> Tensor:
    """Average the squared error against all other rooms' views at the answer's step.

    Comparing pairs would be less work, but its result would depend on how sequences are batched.

    Args:
        frames: generated, [B, T, C, H, W].
        batch: the truth; a single sequence has no others.

    Returns:
        Mean over the others and the pixels, [B, T].
    """
    answer, count = batch.recalled_from.clamp(min=0), max(1, len(frames) - 1)
    squares = batch.frames.square().flatten(2).mean(2)
    mean = (batch.frames.sum(0)[answer] - first_views(batch.frames, answer)) / count
    mean_square = (squares.sum(0)[answer] - squares.gather(1, answer)) / count
    # E|g - v|^2 = |g - E v|^2 + E|v|^2 - |E v|^2
    return squared_error(frames, mean) + mean_square - mean.square().flatten(2).mean(2)
