"""Coherence of free generation: does a model reproduce what it has generated itself?

Gemici et al. 2017, section 5.6 and figure 15: in a maze, the model invents cells that it was never
shown, and these must look the same when the walk returns. Recall from the prior does not measure
this: its answers were given to the model.
"""

import torch
from torch import Tensor

from datamodules.frames.batch import FrameSequences
from lightning_modules.metrics.answers import has_old_answer
from lightning_modules.metrics.prior_recall import squared_error
from lightning_modules.metrics.step_means import Measurement


def coherence_measurements(
    logits: Tensor, batch: FrameSequences, prefix: int, priorities: Tensor
) -> dict[str, Measurement]:
    """Measure generated frames of places that the model itself generated long before.

    Places among the given frames do not count, nor those last seen less than ``OLD_AGE`` steps
    before: two thirds of all returns come after two steps, which hardly needs a memory. Nothing is
    measured in benchmarks that repeat given frames only.

    Args:
        logits: frames generated after the prefix, as logits [B, T, C, H, W].
        batch: the truth, of which only the places matter.
        prefix: number S of given frames.
        priorities: i.i.d. random numbers [B, T, T]: the highest selects the other frame.

    Returns:
        ``coherence_error``, mean squared error against the model's own first frame of the same
        place, in intensities squared, and ``coherence_error_other``, against a random earlier
        frame that it generated of another place.
    """
    steps = torch.arange(batch.place.shape[1], device=batch.place.device)
    generated = steps >= prefix
    same = batch.place.unsqueeze(2) == batch.place.unsqueeze(1)  # [B, T, T] by t, s
    given = (same & ~generated).any(2)
    before = generated & (steps < steps.unsqueeze(1))
    own = same & before
    again = own.any(2) & ~given & has_old_answer(batch)
    # The step before is one of another place, or a picture stands still.
    others = ~same & before
    each = torch.arange(len(same), device=same.device).unsqueeze(1)
    frames = logits.sigmoid()
    first, other = own.int().argmax(2), priorities.masked_fill(~others, -torch.inf).argmax(2)
    return {
        "coherence_error": Measurement(squared_error(frames, frames[each, first]), again),
        "coherence_error_other": Measurement(
            squared_error(frames, frames[each, other]), again & others.any(2)
        ),
    }
