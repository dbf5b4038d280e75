"""What of long curves is drawn, and numbers as the page holds them."""

from collections.abc import Iterable
from math import isfinite

import torch
from torch import Tensor

#: Points of a curve; a panel has about as many pixels for each as an eye can tell apart.
MOST_POINTS = 200
DIGITS = 5


def kept(count: int, most: int = MOST_POINTS) -> Tensor:
    """Indices of evenly spaced points, the first and the last among them."""
    if count <= most:
        return torch.arange(count)
    return torch.linspace(0, count - 1, most, dtype=torch.float64).round().long().unique()


def plain(values: Iterable[float]) -> list[float | int | None]:
    """Numbers with ``DIGITS`` significant digits, null where there is none."""
    return [_plain(float(value)) for value in values]


def _plain(value: float) -> float | int | None:
    if not isfinite(value):
        return None
    short = float(f"{value:.{DIGITS}g}")
    return int(short) if short.is_integer() else short
