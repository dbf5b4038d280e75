"""Bound and KL by step, split by whether a step can be recalled from memory."""

from collections.abc import Mapping

import torch

from datamodules.frames.batch import FrameSequences
from lightning_modules.metrics.answers import has_old_answer
from lightning_modules.metrics.step_means import Measurement, StepSums, Summary
from lightning_modules.objectives import Bound

#: A recalled step with an old answer is "late" if it is the 20th of its sequence or a later one.
LATE_STEP = 20
#: Least KL of new steps, in nats, for a ratio to it. Of latents that are not used (a posterior that
#: has collapsed) it is about 0.001, and a ratio would be noise.
LEAST_NEW = 0.1

#: Always reported, as NaN where no step belongs to the group.
GROUPS = ("kl_new", "kl_recalled", "kl_recalled_old")


def bound_measurements(bound: Bound, batch: FrameSequences) -> dict[str, Measurement]:
    """Measure the bound's terms, and the KL of groups of steps.

    ``recalled`` steps show content that their sequence has shown before, ``new`` ones do not;
    ``recalled_old`` are those last shown at least ``OLD_AGE`` steps before.

    Args:
        bound: terms [B, T].
        batch: the sequences.
    """
    recalled = batch.recalled_from >= 0
    every = torch.ones_like(recalled)
    return {
        "reconstruction": Measurement(bound.reconstruction, every),
        "kl": Measurement(bound.kl, every),
        "recalled_share": Measurement(recalled.to(bound.kl.dtype), every),
        "kl_new": Measurement(bound.kl, ~recalled),
        "kl_recalled": Measurement(bound.kl, recalled),
        "kl_recalled_old": Measurement(bound.kl, has_old_answer(batch)),
    }


def summarise(sums: Mapping[str, StepSums]) -> Summary:
    """Average over sequences, in nats per step (``bound``: per sequence).

    Args:
        sums: the sums of ``bound_measurements`` and any other measurements; of the latter, those
            that are nowhere defined are left out.
    """
    kl, reconstruction, new = sums["kl"], sums["reconstruction"], sums["kl_new"].mean
    used = new.where(new >= LEAST_NEW, torch.nan)
    late = sums["kl_recalled_old"].since(LATE_STEP).mean
    scalars = {
        # Eq. 5 of Gemici et al. 2017: F is the sum over steps of F_t, eq. 6.
        "bound": (reconstruction.curve - kl.curve).sum(),
        "reconstruction": reconstruction.mean,
        "kl": kl.mean,
        "kl_last_step": kl.curve[-1],
        **{name: sums[name].mean for name in GROUPS},
        "kl_recalled_late": late,
        "recall_ratio": sums["kl_recalled_old"].mean / used,
        "recall_ratio_late": late / used,
    }
    defined = [name for name in sums if name in GROUPS or not sums[name].nowhere]
    scalars |= {name: sums[name].mean for name in defined if name not in scalars}
    curves = {name: sums[name].curve for name in defined}
    return Summary(scalars, curves, int(kl.sequences.max()))
