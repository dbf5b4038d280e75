"""Probes of temporal VAEs: the memory is changed after the prefix."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from datamodules.frames.batch import FrameSequences
from datamodules.frames.benchmark import SequenceDataModule
from lightning_modules.metrics.answers import OLD_AGE, age_of_answer
from lightning_modules.metrics.step_means import Measurement, StepSums
from lightning_modules.probes import (
    DONOR,
    OWN,
    PROBED,
    REFERENCE,
    Change,
    Probes,
    SlotRows,
    shuffled,
    transplanted,
)

if TYPE_CHECKING:
    from lightning_modules.temporal_vaes.backbone import BackboneState, Edit
    from lightning_modules.temporal_vaes.temporal_vae import TemporalVAE


class FrameProbes(Probes):
    """Change the core's state right before the first step after the prefix.

    The controller, its last reads and the last latent stay the sequence's own.
    """

    measure = "recall_ratio"
    sentence = (
        "memory changed after the given frames; KL at later steps that recall one of these, over "
        "that of new steps untouched"
    )
    missing = f"no step after the given frames shows one of them again that is {OLD_AGE} steps old"
    by_rows = True

    def measured(
        self,
        model: "TemporalVAE",
        data: SequenceDataModule[Any],
        batch: FrameSequences,
        change: Change,
        rows: SlotRows,
    ) -> Mapping[str, Measurement]:
        """Infer each sequence, and generate it from its prefix.

        Returns:
            ``PROBED``: KL [B, T] of recalled steps; ``REFERENCE``: of new ones. If frames can be
            classified, ``OWN`` and ``DONOR``: 1 where the generated frame has the sequence's own
            class or the donor's, at steps at which both recall the same step.
        """
        edit = edit_after(model, batch, change, rows)
        frames, actions = batch.frames, batch.actions
        kl = model.unroll(frames, actions, model.noise(batch), edit=edit).kl
        recalled = recalled_from_prefix(batch, model.prefix_length)
        measurements = {
            PROBED: Measurement(kl, recalled),
            REFERENCE: Measurement(kl, batch.recalled_from < 0),
        }
        if (classify := data.picture_classifier) is not None:
            given, noise = frames[:, : model.prefix_length], model.noise(batch, draw=1)
            generated = model.unroll(given, actions, noise, edit=edit)
            where = recalled & (batch.recalled_from == batch.recalled_from.roll(1, 0))
            logits = model.decode(generated.latent[where].unsqueeze(0), generated.psi[where][None])
            classes = torch.full_like(batch.labels, -1)
            classes[where] = classify(logits[0].sigmoid())
            for name, labels in ((OWN, batch.labels), (DONOR, batch.labels.roll(1, 0))):
                measurements[name] = Measurement((classes == labels).to(kl.dtype), where)
        return measurements

    def stored(self, model: "TemporalVAE", batch: FrameSequences) -> float:
        """Count the latents of the prefix, one for each frame."""
        return model.prefix_length

    def value(self, sums: Mapping[str, StepSums], untouched: Mapping[str, StepSums]) -> float:
        """Return the mean KL of recalled steps over that of new ones with nothing changed."""
        return float(sums[PROBED].mean / untouched[REFERENCE].mean)


def recalled_from_prefix(batch: FrameSequences, prefix: int) -> Tensor:
    """Tell which steps after the prefix have an old answer, last seen within it, [B, T]."""
    age = age_of_answer(batch)
    steps = torch.arange(age.shape[1], device=age.device)
    return (steps >= prefix) & (age >= OLD_AGE) & (age > steps - prefix)


def edit_after(
    model: "TemporalVAE", batch: FrameSequences, change: Change, rows: SlotRows
) -> "Edit | None":
    """Return an edit of the memory's state before step ``prefix_length``; None for no change."""
    if change == "untouched":
        return None
    initial = model.core.initial_state(len(batch.frames), batch.frames)
    changes: dict[Change, Callable[[Any], Any]] = {
        "zeroed": lambda state: initial,
        "transplanted": transplanted,
        "shuffled": lambda state: shuffled(
            state, initial, rows, slot_priorities(model, batch, state, rows)
        ),
    }

    def edit(t: int, state: "BackboneState") -> "BackboneState":
        if t != model.prefix_length:
            return state
        return state._replace(memory=changes[change](state.memory))

    return edit


def slot_priorities(
    model: "TemporalVAE", batch: FrameSequences, state: Any, rows: SlotRows
) -> Tensor:
    """Return random numbers [B, N] for the slots of a state, a function of the sequences."""
    name, extra = next(iter(rows.items()))
    return model.sequence_noise(batch.episode, (getattr(state, name).shape[1] - extra,), 5)
