"""Views that a camera returns to: does a model generate the room that it was shown?

Gemici et al. 2017, section 5.7 and figure 28: the second turn must show what the first one did.
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

#: Of a frame that is the same, which would else be infinite, and with it the mean.
MOST_DECIBELS = 100.0


def returned_view_measurements(
    logits: Tensor, batch: FrameSequences, prefix: int
) -> dict[str, Measurement]:
    """Compare generated views with those that were shown of the same place, and of other rooms.

    Args:
        logits: frames generated after the prefix, as logits [B, T, C, H, W].
        batch: the truth, and the other rooms.
        prefix: number of frames that were given.

    Returns:
        At generated steps whose answer was given ``OLD_AGE`` steps before or earlier:
        ``returned_error``, mean squared error against the view that was given, in intensities
        squared, ``returned_error_other``, the mean of those against the views that were given at
        that step in all other rooms of the batch, ``returned_psnr`` in decibels, at most
        ``MOST_DECIBELS``, and ``returned_ssim``.
    """
    steps = torch.arange(logits.shape[1], device=logits.device)
    # A camera that walks back first shows what it has just seen.
    old = (batch.recalled_from >= 0) & (steps - batch.recalled_from >= OLD_AGE)
    known = old & (steps >= prefix) & (batch.recalled_from < prefix)
    frames, shown = logits.sigmoid(), first_views(batch.frames, batch.recalled_from)
    return {
        "returned_error": Measurement(squared_error(frames, shown), known),
        "returned_error_other": Measurement(
            error_to_others(frames, batch), known & (len(frames) > 1)
        ),
        "returned_psnr": Measurement(_of_pairs(_psnr, frames, shown, known), known),
        "returned_ssim": Measurement(_of_pairs(_ssim, frames, shown, known), known),
    }


def _of_pairs(
    measure: Callable[[Tensor, Tensor], Tensor], frames: Tensor, shown: Tensor, known: Tensor
) -> Tensor:
    """Measure the frames [B, T, C, H, W] that are known alone, [B, T]; NaN elsewhere."""
    values = torch.full(known.shape, torch.nan, device=known.device)
    if known.any():
        values[known] = measure(frames[known].float(), shown[known].float())
    return values


def _psnr(frames: Tensor, shown: Tensor) -> Tensor:
    found = peak_signal_noise_ratio(frames, shown, data_range=1.0, dim=(1, 2, 3), reduction="none")
    return found.clamp(max=MOST_DECIBELS)


def _ssim(frames: Tensor, shown: Tensor) -> Tensor:
    found = structural_similarity_index_measure(frames, shown, data_range=1.0, reduction="none")
    assert isinstance(found, Tensor), "one number an image"
    return found


def first_views(frames: Tensor, recalled_from: Tensor) -> Tensor:
    """Return the frame that holds the answer of each step, [B, T, ...]; else the first frame."""
    each = torch.arange(len(frames), device=frames.device).unsqueeze(1)
    return frames[each, recalled_from.clamp(min=0)]


def error_to_others(frames: Tensor, batch: FrameSequences) -> Tensor:
    """Average the squared error against all other rooms' views of the step that was asked for.

    Pairs of sequences would be less work, but devices and batches part them.

    Args:
        frames: generated, [B, T, C, H, W].
        batch: the truth; with one sequence alone there are no others.

    Returns:
        Mean over the others and the pixels, [B, T].
    """
    asked, count = batch.recalled_from.clamp(min=0), max(1, len(frames) - 1)
    squares = batch.frames.square().flatten(2).mean(2)
    mean = (batch.frames.sum(0)[asked] - first_views(batch.frames, asked)) / count
    mean_square = (squares.sum(0)[asked] - squares.gather(1, asked)) / count
    # E|g - v|^2 = |g - E v|^2 + E|v|^2 - |E v|^2
    return squared_error(frames, mean) + mean_square - mean.square().flatten(2).mean(2)
