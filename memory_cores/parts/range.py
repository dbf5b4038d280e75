"""Range of a learned number, at whose ends it can still turn back."""

from typing import NamedTuple

import torch
from torch import Tensor


class Range(NamedTuple):
    """Numbers between two bounds, as a sigmoid of raw ones: a clamp's gradient ends at a bound."""

    least: float
    most: float

    def of(self, raw: Tensor) -> Tensor:
        """Return the numbers within the range that raw ones of any size stand for."""
        return torch.add(self.least, raw.sigmoid(), alpha=self.most - self.least)

    def raw(self, numbers: Tensor) -> Tensor:
        """Return the raw ones of numbers within the range."""
        return ((numbers - self.least) / (self.most - self.least)).logit()
