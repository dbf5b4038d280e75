"""Probes of a model's memory: what is stored is changed before recall, and recall is measured.

``untouched`` changes nothing. ``zeroed`` takes away what was stored. ``transplanted`` puts the
memory of another sequence in its place. ``shuffled`` leaves all that was stored, but not where:
each slot that was written gets the row of another one, while what refers to slots by their place
(pointers, links, weightings) stays. A core that finds what it wants by its content does not mind;
one that goes by place reads what is of another time.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, NamedTuple, TypeVar

import torch
from torch import Tensor

from lightning_modules.evaluation_mode import evaluating
from lightning_modules.metrics.step_means import Measurement, StepMeans, StepSums

Change = Literal["untouched", "zeroed", "shuffled", "transplanted"]
#: Fields of a state with a row for each slot, and the rows that they have besides.
SlotRows = Mapping[str, int]
State = TypeVar("State", bound=tuple[Any, ...])

#: What probes measure: recall, what it is compared with, and the classes of generated frames.
PROBED, REFERENCE, OWN, DONOR = GATHERED = "probed", "reference", "own", "donor"


class Probes(ABC):
    """The probes of a family's models."""

    #: Name of the measure of recall, which the family declares.
    measure: ClassVar[str]
    #: What is changed and where it is measured, in words.
    sentence: ClassVar[str]
    #: What a benchmark lacks on which nothing can be measured, in words.
    missing: ClassVar[str]
    #: Whether ``shuffled`` needs a core whose slots have rows.
    by_rows: ClassVar[bool]

    @abstractmethod
    def measured(
        self, model: Any, data: Any, batch: Any, change: Change, rows: SlotRows
    ) -> Mapping[str, Measurement]:
        """Change what is stored of B sequences, and measure how they are recalled.

        Args:
            model: one of the family's, in evaluation mode.
            data: the benchmark, set up.
            batch: two sequences or more: each one's donor is the one before it.
            change: of what is stored.
            rows: of the core's state.

        Returns:
            ``PROBED`` at the steps of recall and, if the family has them, the others of
            ``GATHERED``.
        """

    @abstractmethod
    def stored(self, model: Any, batch: Any) -> float:
        """Count the items that are stored of a sequence, on average over the batch."""

    @abstractmethod
    def value(self, sums: Mapping[str, StepSums], untouched: Mapping[str, StepSums]) -> float:
        """Return the measure under a change.

        Args:
            sums: sums of ``GATHERED`` under the change.
            untouched: the same without any.
        """


class Measured(NamedTuple):
    """Sums over the sequences of a test set."""

    sums: dict[Change, dict[str, StepSums]]
    sequences: int
    steps: int  #: T of each
    stored: float  #: items of a sequence, on average


def measure(
    model: Any,
    data: Any,
    changes: Sequence[Change],
    rows: SlotRows,
    at_least: int,
) -> Measured:
    """Measure a model under several changes on the test set.

    Args:
        model: of any family.
        data: its benchmark, set up.
        changes: of what is stored.
        rows: of the core's state, for ``shuffled``.
        at_least: sequences, in whole batches, as far as there are so many.

    Raises:
        ValueError: no batch has two sequences.
    """
    probes: Probes = model.measures.probes
    steps = model.test_metrics.totals.shape[1]
    means = {change: StepMeans(GATHERED, steps) for change in changes}
    sequences, stored = 0, 0.0
    with evaluating(model), torch.no_grad():
        for batch in data.test_dataloader():
            if len(batch.episode) < 2:  # nobody could be its donor
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
        state: of a core.
        larger: of the same core with more slots.
        slots: how many these are.

    Returns:
        fields, and the rows that each has besides, at its end.
    """
    return {
        name: many.shape[1] - slots
        for name, few, many in zip(state._fields, state, larger, strict=True)
        if few.dim() > 1 and many.shape[1] > few.shape[1]
    }


def transplanted(state: State) -> State:
    """Give each of B sequences the state of the one before it; the first gets the last one's."""
    return type(state)(*(part.roll(1, 0) for part in state))


def shuffled(state: State, initial: State, rows: SlotRows, lots: Tensor) -> State:
    """Give each slot that was written the row of another one of the same sequence.

    Those that are as they were at first stay where they are, so that what is stored later does not
    take the place of what was stored before.

    Args:
        state: of B sequences.
        initial: the state before the first step.
        rows: the fields with a row for each of N slots.
        lots: numbers at random [B, N] that decide on the order.
    """
    slots = lots.shape[1]
    written = torch.zeros_like(lots, dtype=torch.bool)
    for name in rows:
        changed = getattr(state, name)[:, :slots] != getattr(initial, name)[:, :slots]
        written |= changed.flatten(2).any(2) if changed.dim() > 2 else changed
    source = cycles(lots, written)
    each = torch.arange(len(lots), device=lots.device).unsqueeze(1)
    moved = {}
    for name in rows:
        part = getattr(state, name)
        moved[name] = torch.cat([part[each, source], part[:, slots:]], 1)
    return state._replace(**moved)  # type: ignore[attr-defined]


def cycles(lots: Tensor, real: Tensor) -> Tensor:
    """Draw permutations that leave none of the real places where it is, if there are two or more.

    Args:
        lots: numbers at random [B, N].
        real: which places take part, [B, N] bool.

    Returns:
        source: [B, N] int64, for each place the one whose content comes there.
    """
    order = lots.masked_fill(~real, torch.inf).argsort(1)
    place = torch.arange(lots.shape[1], device=lots.device).expand_as(order)
    number = real.sum(1, keepdim=True)
    # Around a circle of the real places in random order; the others stay.
    following = torch.where(place + 1 < number, place + 1, 0).where(place < number, place)
    return torch.empty_like(order).scatter(1, order, order.gather(1, following))
