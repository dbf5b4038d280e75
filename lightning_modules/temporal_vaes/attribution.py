"""Attribution correctness: the share of what is read that comes from the step with the answer."""

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from datamodules.frames.batch import FrameSequences
from lightning_modules.metrics.answers import answers, has_old_answer
from lightning_modules.metrics.attribution import attributions
from lightning_modules.metrics.step_means import Measurement
from memory_cores import Items

if TYPE_CHECKING:
    from lightning_modules.temporal_vaes.backbone import Trajectory
    from lightning_modules.temporal_vaes.temporal_vae import TemporalVAE

#: Sequences of a set that are measured, the first ones. In these the memory is unrolled once more,
#: and back: a validation of 500 mazes takes 3% (introspection) to 10% (DNC, RMR) longer.
ATTRIBUTED = 50


def attribution_measurements(
    model: "TemporalVAE", batch: FrameSequences, trajectory: "Trajectory"
) -> dict[str, Measurement]:
    """Measure the first sequences of the set, each in one of its recalled steps.

    Which step, and which direction the derivatives are multiplied by, is drawn for each sequence;
    steps whose answer is old go before the others.

    Args:
        model: of the trajectory.
        batch: B sequences.
        trajectory: inferred from all frames, with the controller's states.
    """
    rows = (batch.episode < ATTRIBUTED).nonzero()[:, 0]
    chosen = FrameSequences(*(part[rows.to(part.device)] for part in batch))
    shares = torch.zeros_like(trajectory.latent[:, :, 0])
    where = torch.zeros_like(batch.recalled_from, dtype=torch.bool)
    if len(rows):
        on_device = rows.to(shares.device)
        found, asked = _shares(model, chosen, trajectory, on_device)
        shares[on_device] = found.unsqueeze(1).to(shares.dtype)
        where[on_device] = asked & (chosen.recalled_from >= 0)
    return {"attribution_correctness": Measurement(shares, where)}


def _shares(
    model: "TemporalVAE", batch: FrameSequences, trajectory: "Trajectory", rows: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the answer's share [B] in the steps that are asked about, bool [B, T]."""
    control, latent = trajectory.control, trajectory.latent[rows]
    assert control is not None, "it is recorded"
    core, steps = model.core, latent.shape[1]
    drawn = model.sequence_noise(batch.episode, (steps + core.context_size,), 4)
    lots, directions = drawn.split([steps, core.context_size], 1)
    lots = lots.sigmoid() + has_old_answer(batch)
    step = lots.masked_fill(batch.recalled_from < 0, -1).argmax(1, keepdim=True)
    asked = torch.arange(steps, device=step.device) == step
    of_core: list[Tensor] = []
    if (observe := model.backbone.memory_observe) is not None:
        observed = control[rows] + observe(model.visual.encode(batch.frames))
        of_core = [observed, model.noise(batch)[:, :, -core.noise_size :]]
    found = attributions(
        core,
        control[rows],
        stored(control[rows], latent),
        (asked.unsqueeze(2) * directions.unsqueeze(1)).to(latent.dtype),
        *of_core,
    )
    holds_answer = answers(batch)[asked]
    # The latent of step s is the item of step s + 1.
    return (found[:, 1:] * holds_answer[:, :-1]).sum(1), asked


def stored(control: Tensor, latent: Tensor) -> Items:
    """Return what each step stores: the last latent under the last state of the controller.

    Args:
        control: [B, T, H].
        latent: [B, T, Z].

    Returns:
        items: one a step, [B, T, ...]; the first step has none.
    """
    keys, values = (F.pad(part, (0, 0, 1, 0))[:, :-1] for part in (control, latent))
    there = torch.arange(latent.shape[1], device=latent.device) > 0
    return Items(keys, values, there.expand(len(latent), -1))
