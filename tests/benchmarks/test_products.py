"""Matrix products of functions with known products."""

import pytest
import torch
from torch import Tensor

from dispatches import DispatchCounter
from memory_cores.kernels import building
from memory_cores.parts.lstm import lstm_step
from products import Layout, ProductRecorder, products_of, repeated
from step_profile import profiled


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
