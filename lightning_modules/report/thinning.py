"""Thinning of long curves, and rounding of numbers in the page."""

from collections.abc import Iterable
from math import isfinite

import torch
from torch import Tensor

#: Most points of a curve; more are indistinguishable in a panel.
MOST_POINTS = 200
DIGITS = 5


def kept(count: int, most: int = MOST_POINTS) -> Tensor:
    """Return indices of evenly spaced points, including the first and the last."""
    if count <= most:
        return torch.arange(count)
    return torch.linspace(0, count - 1, most, dtype=torch.float64).round().long().unique()


def plain(values: Iterable[float]) -> list[float | int | None]:
    """Round numbers to ``DIGITS`` significant digits; NaN and infinity become None."""
    return [_plain(float(value)) for value in values]


def _plain(value: float) -> float | int | None:
    if not isfinite(value):
        return None
    short = float(f"{value:.{DIGITS}g}")
    return int(short) if short.is_integer() else short
