"""Shares of a step's time: products are attributed correctly."""

import pytest
import torch
from torch import nn

from step_profile import Shares, profiled


def shares(networks: list[nn.Module], model: nn.Module) -> Shares:
    inputs = torch.ones(4, 8)
    return profiled(lambda: model(inputs).square().mean().backward(), networks)


def test_products_within_networks_are_theirs_forward_and_backward() -> None:
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8))
    inside = shares([model], model)
    assert inside.products == 0 and inside.networks > 0
    assert sum(inside) == pytest.approx(1)


def test_products_elsewhere_are_products() -> None:
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8))
    outside = shares([], model)
    assert outside.networks == 0 and outside.products > 0


def test_marks_are_taken_off_again() -> None:
    model = nn.Sequential(nn.Linear(8, 8))
    shares([model], model)
    assert not model._forward_hooks and not model[0]._forward_pre_hooks
