"""Thinning of long curves, and numbers as the page holds them."""

from collections.abc import Iterable
from math import isfinite

import torch
from torch import Tensor

#: Most points of a curve; more lie too close in a panel for the eye to tell apart.
MOST_POINTS = 200
DIGITS = 5


def kept(count: int, most: int = MOST_POINTS) -> Tensor:
    """Choose indices of evenly spaced points, the first and the last among them."""
    if count <= most:
        return torch.arange(count)
    return torch.linspace(0, count - 1, most, dtype=torch.float64).round().long().unique()


def plain(values: Iterable[float]) -> list[float | int | None]:
    """Write numbers with ``DIGITS`` significant digits, None for those that are not finite."""
    return [_plain(float(value)) for value in values]


def _plain(value: float) -> float | int | None:
    if not isfinite(value):
        return None
    short = float(f"{value:.{DIGITS}g}")
    return int(short) if short.is_integer() else short
