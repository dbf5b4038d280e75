"""Probes of neural processes: the memory is given other contexts than its sequence's own."""

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
    """What a memory recalls at steps without a context is that of a memory with other contexts.

    ``zeroed``: of one that was given none; ``shuffled``: its own sets, in another order of time;
    ``transplanted``: the donor's, but for those of steps at which the sequence itself has no
    context. The latents see their own contexts; those that pool the
    memory (``pool_memory``) see the other one's recollections too.
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
            as a validation has.
        """
        samples = model.validation_samples
        noise = model.noise_of_samples(batch, samples)
        lots = model.sequence_noise(batch.episode, batch.context_mask.shape[1:2], 5)
        with recalling(model, change, lots):
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
def recalling(model: "NeuralProcess", change: Change, lots: Tensor) -> Iterator[None]:
    """Let a model recall at steps without a context what a memory with other contexts would."""
    unroll = model._unroll
    if change != "untouched":
        model._unroll = partial(_recollections, unroll, change, lots)
    try:
        yield
    finally:
        model._unroll = unroll


def _recollections(
    unroll: Any, change: Change, lots: Tensor, controls: Tensor, items: Items, *drawn: Any
) -> Recollections:
    """Unroll a memory twice, and take what is recalled without a context from the other contexts.

    At steps with a context the snapshot is of other contexts too; nothing is measured there, and no
    latent sees what is looked up.
    """
    own = unroll(controls, items, *drawn)
    other = unroll(*other_contexts(change, lots, controls, items), *drawn)
    empty = ~items.mask.any(2, keepdim=True)
    total, number = (
        torch.where(empty, *pair) for pair in ((other.total, own.total), (other.number, own.number))
    )
    return Recollections(other.snapshot, total, number, own.kl)


def other_contexts(
    change: Change, lots: Tensor, controls: Tensor, items: Items
) -> tuple[Tensor, Items]:
    """Return the controls and the sets that a changed memory is given; no step has more than one.

    Args:
        change: which sets these are.
        lots: numbers at random [B, T] that decide on the order of a shuffle.
        controls: pooled contexts [B, T, h], 0 where there is none.
        items: keys [B, T, N, Dk], values [B, T, N, Dv], mask [B, T, N].
    """
    present = items.mask.any(2)
    if change == "shuffled":
        each, source = (
            torch.arange(len(lots), device=lots.device).unsqueeze(1),
            cycles(lots, present),
        )
        return controls[each, source], Items(*(part[each, source] for part in items))
    if change == "transplanted":
        controls, items = controls.roll(1, 0), Items(*(part.roll(1, 0) for part in items))
        here = present
    else:
        here = torch.zeros_like(present)
    here = here.unsqueeze(2)
    return torch.where(here, controls, 0), items._replace(mask=items.mask & here)
