"""Bounded range of a learned number, with gradients at its ends."""

from typing import NamedTuple

import torch
from torch import Tensor


class Range(NamedTuple):
    """Range of a sigmoid of raw numbers; a clamp would have no gradient beyond its bounds."""

    least: float
    most: float

    def of(self, raw: Tensor) -> Tensor:
        """Map raw numbers of any size into the range."""
        return torch.add(self.least, raw.sigmoid(), alpha=self.most - self.least)

    def raw(self, numbers: Tensor) -> Tensor:
        """Map numbers within the range to raw numbers."""
        return ((numbers - self.least) / (self.most - self.least)).logit()
