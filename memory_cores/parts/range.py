"""Bounded range of a learned number, with gradients at its ends."""

from typing import NamedTuple

import torch
from torch import Tensor


class Range(NamedTuple):
    """Range of numbers; a clamp would have no gradient beyond its bounds."""

    least: float
    most: float

    def kept(self, numbers: Tensor) -> Tensor:
        """Return the numbers within the range as they are, others at the bound; gradients pass."""
        return numbers.detach().clamp(self.least, self.most) + (numbers - numbers.detach())

    def of(self, raw: Tensor) -> Tensor:
        """Map raw numbers of any size into the range, by a sigmoid."""
        return torch.add(self.least, raw.sigmoid(), alpha=self.most - self.least)

    def raw(self, numbers: Tensor) -> Tensor:
        """Map numbers within the range to raw numbers."""
        return ((numbers - self.least) / (self.most - self.least)).logit()
