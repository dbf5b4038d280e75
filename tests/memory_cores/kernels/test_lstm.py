"""The C++ operator against the LSTM equations in Python."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from memory_cores.kernels import building
from memory_cores.kernels import lstm as lstm_kernel
from memory_cores.parts.lstm import gated, lstm_step

pytestmark = pytest.mark.operators
#: Sequences, inputs and hidden units. Vectors have 2 to 16 numbers: these sizes cover all kinds of
#: remainders; the last two exceed the sequences of narrow products.
SHAPES = [(1, 1, 1), (3, 7, 5), (2, 8, 4), (5, 16, 3), (10, 41, 8), (13, 90, 11), (16, 64, 16)]
SHAPES += [(3, 31, 5), (3, 32, 5), (3, 33, 5), (17, 33, 9), (40, 20, 6)]
NAMES = ("known", "inputs", "weight", "cell")


def arguments(
    shape: tuple[int, int, int], dtype: torch.dtype = torch.double
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    B, width, H = shape
    generator = torch.Generator().manual_seed(0)
    sizes = (B, 4 * H), (B, width), (4 * H, width), (B, H)
    known, inputs, weight, cell = (
        torch.randn(size, dtype=torch.double, generator=generator) for size in sizes
    )
    drawn = known, inputs, weight / width**0.5, cell
    return tuple(tensor.to(dtype).requires_grad_() for tensor in drawn)


def python_step(
    known: Tensor, inputs: Tensor, weight: Tensor, cell: Tensor
) -> tuple[Tensor, Tensor]:
    return gated(known + inputs @ weight.mT, cell)


def states_and_gradients(
    step: Callable[..., tuple[Tensor, Tensor]], drawn: tuple[Tensor, ...]
) -> tuple[Tensor, ...]:
    hidden, cell = step(*drawn)
    generator = torch.Generator().manual_seed(1)
    weights = (torch.randn(hidden.shape, generator=generator).to(hidden) for _ in range(2))
    loss = sum((part * each).sum() for part, each in zip((hidden, cell), weights, strict=True))
    return hidden, cell, *torch.autograd.grad(loss, drawn)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("dtype", "error"), [(torch.double, 1e-12), (torch.float, 2e-5)])
def test_a_step_and_its_gradients_are_the_same(
    shape: tuple[int, int, int], dtype: torch.dtype, error: float
) -> None:
    drawn = arguments(shape, dtype)
    ours = states_and_gradients(lstm_kernel.step, drawn)
    theirs = states_and_gradients(python_step, arguments(shape))
    for name, found, true in zip(("hidden", "new cell", *NAMES), ours, theirs, strict=True):
        assert found.dtype is dtype
        assert (found - true).abs().max() < error * (1 + true.abs().max()), name


@pytest.mark.parametrize("size", [30.0, 44.4, 60.0, 89.0, 120.0, 1e4, 1e30])
@pytest.mark.parametrize("units", [5, 16, 17])
def test_gates_may_be_large(size: float, units: int) -> None:
    """Gates of 44.4 and more, which occur early in training, used to give NaN."""
    signs = torch.randn(3, 4 * units, generator=torch.Generator().manual_seed(0)).sign()

    def drawn(dtype: torch.dtype) -> tuple[Tensor, ...]:
        known, inputs, weight, cell = arguments((3, 7, units), dtype)
        return (size * signs.to(dtype) + known.detach()).requires_grad_(), inputs, weight, cell

    ours = states_and_gradients(lstm_kernel.step, drawn(torch.float))
    theirs = states_and_gradients(python_step, drawn(torch.double))
    for found, true in zip(ours, theirs, strict=True):
        assert (found - true).abs().max() < 2e-5 * (1 + true.abs().max())


def test_threads_share_large_products() -> None:
    """Sizes above half a million multiplications run on several threads."""
    threads, drawn = torch.get_num_threads(), arguments((16, 520, 80))
    try:
        torch.set_num_threads(3)
        found = states_and_gradients(lstm_kernel.step, drawn)
    finally:
        torch.set_num_threads(threads)
    for ours, theirs in zip(found, states_and_gradients(python_step, drawn), strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("units", [5, 16, 17])
@pytest.mark.parametrize("name", NAMES[:2])
def test_nan_stays_in_its_sequence(name: str, units: int) -> None:
    drawn = arguments((2, 16, units), torch.float)
    with torch.no_grad():
        drawn[NAMES.index(name)][1] = torch.nan
        hidden, cell = lstm_kernel.step(*drawn)
    assert hidden[0].isfinite().all() and cell[0].isfinite().all()
    assert hidden[1].isnan().all() and cell[1].isnan().all()


@pytest.mark.parametrize("B", [3, 20])
@pytest.mark.parametrize("wrong", range(4))
def test_wrong_sizes_are_refused(B: int, wrong: int) -> None:
    drawn = list(arguments((B, 7, 5)))
    drawn[wrong] = drawn[wrong][:, 1:]
    with pytest.raises(RuntimeError, match="must be"):
        lstm_kernel.step(*drawn)
    drawn = list(arguments((B, 7, 5)))
    if wrong != NAMES.index("weight"):
        drawn[wrong] = drawn[wrong][1:]
        with pytest.raises(RuntimeError, match="must be"):
            lstm_kernel.step(*drawn)


def test_a_second_gradient_is_refused() -> None:
    drawn = arguments((3, 7, 5))
    hidden, _ = lstm_kernel.step(*drawn)
    with pytest.raises(RuntimeError, match="no second gradients"):
        torch.autograd.grad(hidden.sum(), drawn, create_graph=True)


def test_saturated_gates_are_finite() -> None:
    known, inputs, weight, cell = arguments((2, 3, 4), torch.float)
    extremes = (torch.tensor([1e4, -1e4]).view(2, 1) * torch.ones_like(known)).detach()
    found = states_and_gradients(
        lstm_kernel.step, (extremes.requires_grad_(), inputs, weight, cell)
    )
    assert all(part.isfinite().all() for part in found)


@pytest.mark.parametrize("leaf", NAMES)
def test_only_leaves_that_require_a_gradient_get_one(leaf: str) -> None:
    drawn = [
        tensor.detach().requires_grad_(name == leaf)
        for name, tensor in zip(NAMES, arguments((3, 7, 5)), strict=True)
    ]
    hidden, _ = lstm_kernel.step(*drawn)  # the cell state is unused
    hidden.sum().backward()
    twins = [tensor.detach().requires_grad_() for tensor in drawn]
    python_step(*twins)[0].sum().backward()
    for name, tensor, twin in zip(NAMES, drawn, twins, strict=True):
        if name == leaf:
            torch.testing.assert_close(tensor.grad, twin.grad)
        else:
            assert tensor.grad is None


def test_it_passes_pytorchs_operator_checks() -> None:
    """Schema, gradients, and shapes when traced."""
    torch.library.opcheck(torch.ops.lstm_kernel.step.default, arguments((3, 17, 5)))


def test_when_it_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def spy(*inputs: Tensor) -> tuple[Tensor, Tensor]:
        calls.append(inputs)
        return python_step(*inputs)

    monkeypatch.setattr(lstm_kernel, "step", spy)
    single = arguments((3, 7, 5), torch.float)
    lstm_step(*single)
    assert len(calls) == 1
    with torch.autocast("cpu", torch.bfloat16):
        lstm_step(*single)
    lstm_step(*arguments((3, 7, 5), torch.bfloat16))
    with building.left_out():
        lstm_step(*single)
    assert len(calls) == 1
