"""Per-step bound and KL, split by whether a step can be recalled from memory."""

from typing import NamedTuple

import torch
from torch import Tensor
from torchmetrics import Metric

from lightning_modules.objectives import Bound

#: A recalled step is "old" if its content was last seen at least this many steps before ...
OLD_AGE = 5
#: ... and "late" if, in addition, it is the 20th step of its sequence or a later one.
LATE_STEP = 20

GROUPS = ("new", "recalled", "recalled_old")


class RecallSummary(NamedTuple):
    """What a set of sequences showed; curves are [T], NaN where no sequence has such a step."""

    scalars: dict[str, Tensor]
    curves: dict[str, Tensor]


class RecallMetrics(Metric):
    """Sums of reconstruction and KL per step and group, which add up over batches and devices.

    Groups: ``new`` steps show what their sequence has not shown before, ``recalled`` ones what it
    has; ``recalled_old`` are those last shown at least ``OLD_AGE`` steps before.
    """

    full_state_update = False
    reconstruction: Tensor
    kl: Tensor
    counts: Tensor

    def __init__(self, sequence_length: int) -> None:
        super().__init__()
        zeros = torch.zeros(len(GROUPS), sequence_length)
        self.add_state("reconstruction", zeros.clone(), dist_reduce_fx="sum")
        self.add_state("kl", zeros.clone(), dist_reduce_fx="sum")
        self.add_state("counts", zeros.clone(), dist_reduce_fx="sum")

    def update(self, bound: Bound, recalled_from: Tensor) -> None:
        """Add a batch.

        Args:
            bound: terms [B, T].
            recalled_from: [B, T], the earlier step that shows the same content, -1 where none.
        """
        age = torch.arange(recalled_from.shape[1], device=recalled_from.device) - recalled_from
        recalled = recalled_from >= 0
        groups = torch.stack([~recalled, recalled, recalled & (age >= OLD_AGE)])
        self.counts += groups.sum(1)
        self.kl += (bound.kl * groups).sum(1)
        self.reconstruction += (bound.reconstruction * groups).sum(1)

    def compute(self) -> RecallSummary:
        """Average over sequences, in nats per step (``bound``: per sequence)."""
        steps = self.counts[:2].sum(0)  # every step is new or recalled
        every_kl, every_reconstruction = (
            self.kl[:2].sum(0) / steps,
            self.reconstruction[:2].sum(0) / steps,
        )
        mean = self.kl.sum(1) / self.counts.sum(1)
        late = slice(LATE_STEP - 1, None)
        recalled_late = self.kl[2, late].sum() / self.counts[2, late].sum()
        scalars = {
            "bound": (every_reconstruction - every_kl).sum(),
            "reconstruction": every_reconstruction.mean(),
            "kl": every_kl.mean(),
            "kl_last_step": every_kl[-1],
            **{f"kl_{group}": value for group, value in zip(GROUPS, mean, strict=True)},
            "kl_recalled_late": recalled_late,
            "recall_ratio": mean[2] / mean[0],
            "recall_ratio_late": recalled_late / mean[0],
        }
        curves = {
            "kl": every_kl,
            "reconstruction": every_reconstruction,
            "recalled_share": self.counts[1] / steps,
        }
        curves |= {f"kl_{g}": self.kl[i] / self.counts[i] for i, g in enumerate(GROUPS)}
        return RecallSummary(scalars, curves)
