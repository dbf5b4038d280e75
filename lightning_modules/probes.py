"""Probes of a model's memory: the stored contents are changed, and then recall is measured.

``untouched`` changes nothing. ``zeroed`` resets the memory. ``transplanted`` replaces it by the
memory of another sequence. ``shuffled`` permutes the slots' contents: each written slot gets the
row of another one, while everything that refers to slots by position (pointers, links, weightings)
stays. A core that addresses by content is unaffected; one that addresses by position reads
contents of another time.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, NamedTuple, TypeVar

import torch
from torch import Tensor

from lightning_modules.evaluation_mode import evaluating
from lightning_modules.metrics.step_means import Measurement, StepMeans, StepSums

Change = Literal["untouched", "zeroed", "shuffled", "transplanted"]
#: Fields of a state with a row per slot, and the number of extra rows at each field's end.
SlotRows = Mapping[str, int]
State = TypeVar("State", bound=tuple[Any, ...])

#: Quantities that probes measure: recall, its reference, and classes of generated frames.
PROBED, REFERENCE, OWN, DONOR = GATHERED = "probed", "reference", "own", "donor"


class Probes(ABC):
    """The probes of a family's models."""

    #: Name of the family's measure of recall.
    measure: ClassVar[str]
    #: What is changed and where recall is measured, in words.
    sentence: ClassVar[str]
    #: Why nothing can be measured on some benchmarks, in words.
    missing: ClassVar[str]
    #: Whether ``shuffled`` needs a core whose slots have rows.
    by_rows: ClassVar[bool]

    @abstractmethod
    def measured(
        self, model: Any, data: Any, batch: Any, change: Change, rows: SlotRows
    ) -> Mapping[str, Measurement]:
        """Change the memories of B sequences, and measure their recall.

        Args:
            model: a model of the family, in evaluation mode.
            data: the benchmark, set up.
            batch: at least two sequences; each one's donor is the one before it.
            change: the change to the memory.
            rows: the slot rows of the core's state.

        Returns:
            ``PROBED`` at the steps of recall and, if the family has them, the other quantities of
            ``GATHERED``.
        """

    @abstractmethod
    def stored(self, model: Any, batch: Any) -> float:
        """Return the mean number of stored items per sequence."""

    @abstractmethod
    def value(self, sums: Mapping[str, StepSums], untouched: Mapping[str, StepSums]) -> float:
        """Return the measure under a change.

        Args:
            sums: sums of ``GATHERED`` under the change.
            untouched: the same sums without any change.
        """


class Measured(NamedTuple):
    """Sums over the sequences of a test set."""

    sums: dict[Change, dict[str, StepSums]]
    sequences: int
    steps: int  #: T of each
    stored: float  #: mean number of items per sequence


def measure(
    model: Any,
    data: Any,
    changes: Sequence[Change],
    rows: SlotRows,
    at_least: int,
) -> Measured:
    """Measure a model under several changes on the test set.

    Args:
        model: a model of any family.
        data: its benchmark, set up.
        changes: the changes to the memory.
        rows: the slot rows of the core's state, for ``shuffled``.
        at_least: minimum number of sequences, in whole batches, if the set has so many.

    Raises:
        ValueError: no batch has two sequences.
    """
    probes: Probes = model.measures.probes
    steps = model.test_metrics.totals.shape[1]
    means = {change: StepMeans(GATHERED, steps) for change in changes}
    sequences, stored = 0, 0.0
    with evaluating(model), torch.no_grad():
        for batch in data.test_dataloader():
            if len(batch.episode) < 2:  # no other sequence could be the donor
                continue
            for change in changes:
                means[change].update(probes.measured(model, data, batch, change, rows))
            stored += len(batch.episode) * probes.stored(model, batch)
            sequences += len(batch.episode)
            if sequences >= at_least:
                break
    if not sequences:
        size = data.hparams["eval_batch_size"]
        raise ValueError(f"eval_batch_size must be at least 2, for donors, got {size}")
    sums = {change: each.sums() for change, each in means.items()}
    return Measured(sums, sequences, steps, stored / sequences)


def slot_rows(state: NamedTuple, larger: NamedTuple, slots: int) -> SlotRows:
    """Find the fields of a state whose rows, along the first dimension behind B, are slots.

    Args:
        state: a core's state.
        larger: the state of the same core with more slots.
        slots: number of slots of ``larger``.

    Returns:
        The fields, and the number of extra rows at each one's end.
    """
    return {
        name: many.shape[1] - slots
        for name, few, many in zip(state._fields, state, larger, strict=True)
        if few.dim() > 1 and many.shape[1] > few.shape[1]
    }


def transplanted(state: State) -> State:
    """Give each of B sequences the state of the one before it; the first gets the last's."""
    return type(state)(*(part.roll(1, 0) for part in state))


def shuffled(state: State, initial: State, rows: SlotRows, priorities: Tensor) -> State:
    """Give each written slot the row of another written slot of the same sequence.

    Unwritten slots stay, so that later items do not overwrite stored ones.

    Args:
        state: of B sequences.
        initial: the state before the first step.
        rows: the fields with a row for each of N slots.
        priorities: random numbers [B, N] that determine the order.
    """
    slots = priorities.shape[1]
    written = torch.zeros_like(priorities, dtype=torch.bool)
    for name in rows:
        changed = getattr(state, name)[:, :slots] != getattr(initial, name)[:, :slots]
        written |= changed.flatten(2).any(2) if changed.dim() > 2 else changed
    source = cycles(priorities, written)
    each = torch.arange(len(priorities), device=priorities.device).unsqueeze(1)
    moved = {}
    for name in rows:
        part = getattr(state, name)
        moved[name] = torch.cat([part[each, source], part[:, slots:]], 1)
    return state._replace(**moved)  # type: ignore[attr-defined]


def cycles(priorities: Tensor, real: Tensor) -> Tensor:
    """Draw permutations that move every real place, if there are at least two.

    Args:
        priorities: random numbers [B, N].
        real: which places take part, [B, N] bool.

    Returns:
        source: [B, N] int64, the place from which each place gets its content.
    """
    order = priorities.masked_fill(~real, torch.inf).argsort(1)
    place = torch.arange(order.shape[1], device=order.device).expand_as(order)
    number = real.sum(1, keepdim=True)
    # One cycle through the real places in random order; the others stay.
    following = torch.where(place + 1 < number, place + 1, 0).where(place < number, place)
    return torch.empty_like(order).scatter(1, order, order.gather(1, following))
