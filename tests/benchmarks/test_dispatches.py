"""Operator counts of functions with known operators."""

import torch
from torch import Tensor, nn

from contestants import Contestant
from dispatches import DispatchCounter, count_dispatches


class Scaled(nn.Module):
    """One multiplication by a number."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.ones(3))

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs * self.factor


def test_every_operator_counts_once() -> None:
    x = torch.ones(3)
    with DispatchCounter() as counter:
        x.mul(2).add(1).sum()
    assert counter.count == 3


def test_forward_and_backward_are_counted_apart() -> None:
    dispatches = count_dispatches(Contestant(Scaled(), torch.ones(3)))
    assert dispatches.forward == 3  # product, square, mean
    assert dispatches.backward > 0
