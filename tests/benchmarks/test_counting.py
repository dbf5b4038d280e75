"""Counts of operators, bytes and products of functions that are known by heart."""

import pytest
import torch
from torch import Tensor, nn

from contestants import Contestant
from dispatches import DispatchCounter, count_dispatches
from memory_cores.kernels import building
from memory_cores.parts.lstm import lstm_step
from peak_memory import MEBIBYTE, peak_mebibytes, peak_of
from products import Layout, ProductRecorder, products_of, repeated
from step_profile import Shares, profiled

CPU = torch.device("cpu")


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


def test_a_peak_is_the_most_that_is_held_at_once() -> None:
    assert peak_of([5, 5, -3, 10, -17]) == 17
    assert peak_of([-4, 1]) == 0
    assert peak_of([]) == 0


@pytest.mark.parametrize(("together", "mebibytes"), [(1, 1), (3, 3)])
def test_what_is_released_does_not_count(together: int, mebibytes: int) -> None:
    def step() -> None:
        for _ in range(2):
            _ = [torch.empty(MEBIBYTE, dtype=torch.uint8) for _ in range(together)]
            del _

    assert peak_mebibytes(step, CPU) == pytest.approx(mebibytes, rel=0.01)


def matrices() -> tuple[Tensor, Tensor]:
    return torch.ones(4, 3, requires_grad=True), torch.ones(3, 5, requires_grad=True)


def test_products_of_both_passes_are_kept() -> None:
    left, right = matrices()
    calls = products_of(lambda: (left @ right).exp().sum().backward())
    assert [str(call.operator) for call in calls] == ["aten.mm.default"] * 3
    assert [tuple(part.shape for part in call.args) for call in calls] == [
        ((4, 3), (3, 5)),
        ((3, 4), (4, 5)),
        ((4, 5), (5, 3)),
    ]


def test_repeating_does_these_products_and_nothing_else() -> None:
    left, right = matrices()
    calls = products_of(lambda: (left @ right).exp().sum().backward())
    step = repeated(calls)
    assert products_of(step) == calls
    with DispatchCounter() as counter:
        step()
    assert counter.count == 3


def test_a_layout_is_filled_as_it_was() -> None:
    expanded = Layout.of(torch.ones(1, 4).expand(3, 4))
    assert Layout.of(expanded.filled()) == expanded
    transposed = Layout.of(torch.ones(2, 5).T)
    assert Layout.of(transposed.filled()) == transposed


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


@pytest.mark.operators
def test_products_within_operators_are_counted() -> None:
    known, inputs, weight = torch.ones(4, 12), torch.ones(4, 5), torch.ones(12, 5)

    def step() -> None:
        lstm_step(known, inputs.requires_grad_(), weight, torch.ones(4, 3))[0].sum().backward()

    forward, backward = products_of(step)
    assert building.are_in_use()
    assert [str(forward.operator), str(backward.operator)] == [
        "aten.addmm.default",
        "aten.mm.default",
    ]
    assert [part.shape for part in backward.args] == [(4, 12), (12, 5)]
    with ProductRecorder() as recorder:
        step()
    assert not recorder.calls  # so these are not products that Python calls
    assert profiled(step, []).products > 0
