"""Synthetic predictions shared by the tests of pictures."""

import pytest
import torch

from lightning_modules.pictures.predicted_functions import PredictedFunctions


@pytest.fixture
def prediction() -> PredictedFunctions:
    """Functions on a grid of five places; their sixth step has no context."""
    torch.manual_seed(4)
    T, M = 6, 5
    x = torch.linspace(-4, 2.4, M).view(1, M, 1).expand(T, M, 1)
    y = torch.randn(T, M, 1)
    seen = torch.rand(T, M) < 0.4
    seen[0, 1], seen[5] = True, False
    order = (~seen).long().argsort(stable=True, dim=1)
    context_x, context_y = (v.gather(1, order.unsqueeze(-1)) for v in (x, y))
    context = context_x, context_y, seen.gather(1, order)
    everything = torch.ones(T, M, dtype=torch.bool)
    mean, sigma = torch.randn(T, M, 1), torch.rand(T, M, 1) + 0.1
    return PredictedFunctions(*context, x, y, everything, mean, sigma, keys=None, x_range=4.0)
