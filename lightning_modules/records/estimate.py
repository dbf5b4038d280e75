"""Means over runs, and their standard errors."""

from math import nan
from typing import NamedTuple

import torch
from torch import Tensor


class Estimate(NamedTuple):
    """A mean over runs."""

    mean: Tensor
    error: Tensor  #: standard error of the mean; NaN for a single run

    def in_words(self, digits: int) -> str:
        """Write it as "0.33 ± 0.02", as far as mean and error are known; else a dash."""
        mean, error = (f"{part.item():,.{digits}f}" if part.isfinite() else "" for part in self)
        return (f"{mean} ± {error}" if error else mean) or "-"


#: Estimate over no runs.
NOTHING = Estimate(torch.tensor(nan), torch.tensor(nan))


def estimate(values: Tensor) -> Estimate:
    """Estimate mean and standard error over the first dimension.

    Args:
        values: [N, ...].
    """
    count = len(values)
    mean = values.mean(0)
    if count == 1:
        return Estimate(mean, torch.full_like(mean, nan))
    return Estimate(mean, values.std(0) / count**0.5)
