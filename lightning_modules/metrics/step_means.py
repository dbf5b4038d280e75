"""Averages per step of a sequence, over batches and devices."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import Module
from torchmetrics import Metric


class Measurement(NamedTuple):
    """A quantity of B sequences at the steps where it is defined."""

    values: Tensor  #: [B, T]; arbitrary where undefined, even NaN
    where: Tensor  #: [B, T] bool


class StepSums(NamedTuple):
    """Sums over sequences at T steps."""

    total: Tensor  #: [T]
    sequences: Tensor  #: [T], number of sequences for which it was defined

    @property
    def curve(self) -> Tensor:
        """Means of the steps [T]; NaN where it was defined for no sequence."""
        return self.total / self.sequences

    @property
    def mean(self) -> Tensor:
        """Mean over all steps of all sequences for which it was defined."""
        return self.total.sum() / self.sequences.sum()

    def since(self, step: int) -> "StepSums":
        """Keep the sums from a step on, counted from 1."""
        return StepSums(self.total[step - 1 :], self.sequences[step - 1 :])

    @property
    def nowhere(self) -> bool:
        """True if it was not defined for any step of any sequence."""
        return not self.sequences.any()


class Summary(NamedTuple):
    """Averages over a set of sequences; curves are [T], NaN where nothing was defined."""

    scalars: dict[str, Tensor]
    curves: dict[str, Tensor]
    sequences: int  #: number of sequences averaged over


class StepMeans(Metric):
    """Sums of named quantities at T steps, in single precision even if the model's is lower.

    Args:
        names: the quantities that ``update`` may add.
        steps: length T of the sequences.
    """

    full_state_update = False
    totals: Tensor
    counts: Tensor

    def __init__(self, names: Iterable[str], steps: int) -> None:
        super().__init__()
        self.rows = {name: row for row, name in enumerate(names)}
        zeros = torch.zeros(len(self.rows), steps)
        self.add_state("totals", zeros.clone(), dist_reduce_fx="sum")
        self.add_state("counts", zeros.clone(), dist_reduce_fx="sum")

    def _apply(self, fn: Callable, exclude_state: Sequence[str] = "") -> Module:
        """Follow the model's device but not its precision: in bfloat16, 256 + 1 is 256."""
        module = super()._apply(fn, exclude_state)
        # The defaults, too: ``reset`` would otherwise restore the lower precision.
        self.totals, self.counts = self.totals.float(), self.counts.float()
        self._defaults |= {
            "totals": torch.zeros_like(self.totals),
            "counts": torch.zeros_like(self.counts),
        }
        return module

    def update(self, measurements: Mapping[str, Measurement]) -> None:
        """Add a batch."""
        for name, (values, where) in measurements.items():
            row = self.rows[name]
            # Masked, not multiplied by 0: undefined values may be NaN.
            self.totals[row] += values.float().masked_fill(~where, 0).sum(0)
            self.counts[row] += where.sum(0)

    def compute(self) -> Tensor:
        """Return the sums over all batches and devices, [2, names, T]: totals and counts."""
        return torch.stack([self.totals, self.counts])

    def sums(self) -> dict[str, StepSums]:
        """Return the sums over all batches and devices by name."""
        # Not from `compute`, whose tensors of one number lose their dimensions: T may be 1.
        totals, counts = self.compute()
        return {name: StepSums(totals[row], counts[row]) for name, row in self.rows.items()}
