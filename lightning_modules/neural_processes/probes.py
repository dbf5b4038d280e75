"""Probes of neural processes: the memory is given contexts other than its sequence's own."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from datamodules.points.batch import FunctionSequences
from datamodules.points.benchmark import FunctionDataModule
from lightning_modules.metrics.step_means import Measurement, StepSums
from lightning_modules.metrics.target_nll import Scores, mean_over
from lightning_modules.probes import PROBED, Change, Probes, SlotRows, cycles
from memory_cores import Items
from memory_cores.core import Recollections

if TYPE_CHECKING:
    from lightning_modules.neural_processes.neural_process import NeuralProcess


class FunctionProbes(Probes):
    """At steps without a context, targets are recalled from a memory with other contexts.

    ``zeroed``: no contexts at all; ``shuffled``: the sequence's own sets, in another temporal
    order; ``transplanted``: the donor's sets, only at steps at which the sequence has a context.
    The latents see their own contexts; those that pool the memory (``pool_memory``) also see the
    other memory's recollections.
    """

    measure = "nll_without_context"
    sentence = "memory of other contexts; target-NLL at steps without a context, in nats"
    missing = "every step has a context"
    by_rows = False

    def measured(
        self,
        model: "NeuralProcess",
        data: FunctionDataModule[Any],
        batch: FunctionSequences,
        change: Change,
        rows: SlotRows,
    ) -> Mapping[str, Measurement]:
        """Predict the targets from the contexts.

        Returns:
            ``PROBED``: NLL [B, T] at steps without a context, with as many samples of the latents
            as in a validation.
        """
        samples = model.validation_samples
        noise = model.noise_of_samples(batch, samples)
        priorities = model.sequence_noise(batch.episode, batch.context_mask.shape[1:2], 5)
        with recalling(model, change, priorities):
            scores = Scores.of(model.predictions(batch, samples, noise), batch)
        nll, _ = mean_over(scores.nll, batch.target_mask)
        return {PROBED: Measurement(nll, ~batch.context_mask.any(2))}

    def stored(self, model: "NeuralProcess", batch: FunctionSequences) -> float:
        """Count the context points of a sequence, on average."""
        return float(batch.context_mask.sum() / len(batch.context_mask))

    def value(self, sums: Mapping[str, StepSums], untouched: Mapping[str, StepSums]) -> float:
        """Return the mean NLL."""
        return float(sums[PROBED].mean)


@contextmanager
def recalling(model: "NeuralProcess", change: Change, priorities: Tensor) -> Iterator[None]:
    """Make a model recall from a memory with other contexts at steps without a context."""
    unroll = model._unroll
    if change != "untouched":
        model._unroll = partial(_recollections, unroll, change, priorities)
    try:
        yield
    finally:
        model._unroll = unroll


def _recollections(
    unroll: Any, change: Change, priorities: Tensor, controls: Tensor, items: Items, *posterior: Any
) -> Recollections:
    """Unroll a memory twice; at steps without a context, recall from the other contexts.

    The snapshot is that of the other contexts at all steps: nothing is measured at steps with a
    context, and no latent sees what is looked up.
    """
    own = unroll(controls, items, *posterior)
    other = unroll(*other_contexts(change, priorities, controls, items), *posterior)
    empty = ~items.mask.any(2, keepdim=True)
    total, number = (
        torch.where(empty, *pair) for pair in ((other.total, own.total), (other.number, own.number))
    )
    return Recollections(other.snapshot, total, number, own.kl)


def other_contexts(
    change: Change, priorities: Tensor, controls: Tensor, items: Items
) -> tuple[Tensor, Items]:
    """Return the controls and the sets for a changed memory, at most one set per step.

    Args:
        change: which sets to give.
        priorities: random numbers [B, T] that determine the order of a shuffle.
        controls: pooled contexts [B, T, h], 0 where there is none.
        items: keys [B, T, N, Dk], values [B, T, N, Dv], mask [B, T, N].
    """
    present = items.mask.any(2)
    if change == "shuffled":
        each, source = (
            torch.arange(len(priorities), device=priorities.device).unsqueeze(1),
            cycles(priorities, present),
        )
        return controls[each, source], Items(*(part[each, source] for part in items))
    if change == "transplanted":
        controls, items = controls.roll(1, 0), Items(*(part.roll(1, 0) for part in items))
        kept = present
    else:
        kept = torch.zeros_like(present)
    kept = kept.unsqueeze(2)
    return torch.where(kept, controls, 0), items._replace(mask=items.mask & kept)
