"""Read correctness: the share of read mass on steps that hold the answer."""

import torch
from torch import Tensor

from datamodules.frames.batch import FrameSequences
from lightning_modules.metrics.answers import answers
from lightning_modules.metrics.step_means import Measurement
from memory_cores import Weightings

#: Write weight from which a slot counts as full; fainter writes fill it in proportion.
TRACE = 0.01


def read_measurements(weightings: Weightings, batch: FrameSequences) -> dict[str, Measurement]:
    """Measure the share of read mass on the steps that hold the answer, where there is one.

    These are all earlier steps that show the answer's place: in a maze, any visit of the cell.
    Nothing is measured for a core without slots, or without write weightings, whose slots do not
    belong to single steps.

    Args:
        weightings: read [B, T, R, N] and write [B, T, H, N].
        batch: B sequences.

    Returns:
        ``read_correctness``, over all heads; ``read_correctness_best_head``, of each step's best
        head, since one is enough.
    """
    defined = weightings.read.shape[-1] > 0 and weightings.write.shape[-2] > 0
    recalled = (batch.recalled_from >= 0) & defined
    correct = mass_on(answers(batch), weightings)
    mass = weightings.read.sum(3)
    shares = correct / mass.clamp(min=torch.finfo(mass.dtype).tiny)
    overall = correct.sum(2) / mass.sum(2).clamp(min=torch.finfo(mass.dtype).tiny)
    best = shares.max(2).values if defined else overall  # there may be no heads
    return {
        "read_correctness": Measurement(overall, recalled),
        "read_correctness_best_head": Measurement(best, recalled),
    }


def mass_on(steps: Tensor, weightings: Weightings) -> Tensor:
    """Return each head's read mass on slots, weighted by the given steps' share of their content.

    The latent of step s is written in step s + 1 (see ``Backbone``). A write of weight w leaves
    1 - w of a slot's earlier content, and steps share a slot in proportion to what is left of their
    writes. A lone faint write is all of its slot's content, since look-up by content finds faint
    words too; but below ``TRACE`` it counts for little, because the tails of a softmax reach every
    slot. This is exact if writes replace; a core that adds without erasing keeps more of the past.

    Args:
        steps: [B, T, T] bool, by the step that reads and the step that was stored.
        weightings: read [B, T, R, N] and write [B, T, H, N].

    Returns:
        mass: [B, T, R].
    """
    written = 1 - (1 - weightings.write).prod(2)
    stored = written.new_zeros(len(written), written.shape[2], steps.shape[1])
    mass = []
    for t, share in enumerate(written.unbind(1)):
        stored = stored * (1 - share).unsqueeze(2)
        if t:  # the first step has no latent to write
            stored[:, :, t - 1] = share
        shares = stored / stored.sum(2, keepdim=True).clamp(min=TRACE)
        on_steps = (shares * steps[:, t].unsqueeze(1)).sum(2)
        mass.append((weightings.read[:, t] * on_steps.unsqueeze(1)).sum(2))
    return torch.stack(mass, 1)
