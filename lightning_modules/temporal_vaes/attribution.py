"""Attribution correctness: the share of a read that comes from steps with the answer."""

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

#: Number of first sequences that are measured. Their memory is unrolled forwards and backwards once
#: more: a validation of 500 mazes takes 3% (introspection) to 10% (DNC, RMR) longer.
ATTRIBUTED = 50


def attribution_measurements(
    model: "TemporalVAE", batch: FrameSequences, trajectory: "Trajectory"
) -> dict[str, Measurement]:
    """Measure the first sequences of the set, each in one of its recalled steps.

    The step and the direction of the derivatives are drawn for each sequence; steps with an old
    answer take precedence.

    Args:
        model: the model that inferred the trajectory.
        batch: B sequences.
        trajectory: inferred from all frames, with the controller's states.
    """
    rows = (batch.episode < ATTRIBUTED).nonzero()[:, 0]
    first = FrameSequences(*(part[rows.to(part.device)] for part in batch))
    shares = torch.zeros_like(trajectory.latent[:, :, 0])
    where = torch.zeros_like(batch.recalled_from, dtype=torch.bool)
    if len(rows):
        on_device = rows.to(shares.device)
        share, at_step = _shares(model, first, trajectory, on_device)
        shares[on_device] = share.unsqueeze(1).to(shares.dtype)
        where[on_device] = at_step & (first.recalled_from >= 0)
    return {"attribution_correctness": Measurement(shares, where)}


def _shares(
    model: "TemporalVAE", batch: FrameSequences, trajectory: "Trajectory", rows: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the answer's share [B], and the step at which it is measured, bool [B, T]."""
    control, latent = trajectory.control, trajectory.latent[rows]
    assert control is not None, "the trajectory is recorded"
    core, steps = model.core, latent.shape[1]
    noise = model.sequence_noise(batch.episode, (steps + core.context_size,), 4)
    priorities, directions = noise.split([steps, core.context_size], 1)
    priorities = priorities.sigmoid() + has_old_answer(batch)
    step = priorities.masked_fill(batch.recalled_from < 0, -1).argmax(1, keepdim=True)
    at_step = torch.arange(steps, device=step.device) == step
    for_core: list[Tensor] = []
    if (observe := model.backbone.memory_observe) is not None:
        observed = control[rows] + observe(model.visual.encode(batch.frames))
        for_core = [observed, model.noise(batch)[:, :, -core.noise_size :]]
    shares = attributions(
        core,
        control[rows],
        stored(control[rows], latent),
        (at_step.unsqueeze(2) * directions.unsqueeze(1)).to(latent.dtype),
        *for_core,
    )
    holds_answer = answers(batch)[at_step]
    # The latent of step s is the item of step s + 1.
    return (shares[:, 1:] * holds_answer[:, :-1]).sum(1), at_step


def stored(control: Tensor, latent: Tensor) -> Items:
    """Return each step's item: the previous latent, with the previous controller state as key.

    Args:
        control: [B, T, H].
        latent: [B, T, Z].

    Returns:
        items: one per step, [B, T, ...]; the first step has none.
    """
    keys, values = (F.pad(part, (0, 0, 1, 0))[:, :-1] for part in (control, latent))
    mask = torch.arange(latent.shape[1], device=latent.device) > 0
    return Items(keys, values, mask.expand(len(latent), -1))
