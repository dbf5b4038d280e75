"""Read correctness: the share of what is read that comes from the step that holds the answer."""

import torch
from torch import Tensor

from datamodules.frames.batch import FrameSequences
from lightning_modules.metrics.answers import answers
from lightning_modules.metrics.step_means import Measurement
from memory_cores import Weightings

#: Write weight from which a slot counts as full; a fainter trace fills it in proportion.
TRACE = 0.01


def read_measurements(weightings: Weightings, batch: FrameSequences) -> dict[str, Measurement]:
    """Measure the share of read mass on the steps that hold the answer, where there is one.

    Those are all earlier steps that show the answer's place, so that in a maze any visit of a cell
    will do. Nothing is measured of a core without slots, or of one without write weightings, whose
    slots do not belong to single steps.

    Args:
        weightings: read [B, T, R, N] and write [B, T, H, N].
        batch: B sequences.

    Returns:
        ``read_correctness``, of the mass of all heads; ``read_correctness_best_head``, of the head
        that reads the answer most in a step, since one is enough.
    """
    tells = weightings.read.shape[-1] > 0 and weightings.write.shape[-2] > 0
    recalled = (batch.recalled_from >= 0) & tells
    found = mass_on(answers(batch), weightings)
    mass = weightings.read.sum(3)
    shares = found / mass.clamp(min=torch.finfo(mass.dtype).tiny)
    overall = found.sum(2) / mass.sum(2).clamp(min=torch.finfo(mass.dtype).tiny)
    best = shares.max(2).values if tells else overall  # there may be no head
    return {
        "read_correctness": Measurement(overall, recalled),
        "read_correctness_best_head": Measurement(best, recalled),
    }


def mass_on(chosen: Tensor, weightings: Weightings) -> Tensor:
    """Mass that each head reads from the slots that hold chosen steps, as far as they hold them.

    The latent of step s is written in step s + 1 (see ``Backbone``). A write of weight w leaves
    1 - w of what was written to a slot before, and steps share a slot's content in proportion to
    what is left of their writes. A lone faint write is all that its slot holds, since look-up by
    content finds faint words too; but below ``TRACE`` it counts as next to nothing, because the
    tails of a softmax reach every slot. This is exact where a write replaces; a core that adds
    without erasing holds more of the past.

    Args:
        chosen: [B, T, T] bool, by the step that reads and the step that was stored.
        weightings: read [B, T, R, N] and write [B, T, H, N].

    Returns:
        mass: [B, T, R].
    """
    written = 1 - (1 - weightings.write).prod(2)
    steps = chosen.shape[1]
    held = written.new_zeros(len(written), written.shape[2], steps)
    mass = []
    for t, share in enumerate(written.unbind(1)):
        held = held * (1 - share).unsqueeze(2)
        if t:  # the first step finds no latent to write
            held[:, :, t - 1] = share
        shares = held / held.sum(2, keepdim=True).clamp(min=TRACE)
        on_chosen = (shares * chosen[:, t].unsqueeze(1)).sum(2)
        mass.append((weightings.read[:, t] * on_chosen.unsqueeze(1)).sum(2))
    return torch.stack(mass, 1)
