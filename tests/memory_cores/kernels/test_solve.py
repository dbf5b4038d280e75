"""Symmetric linear solves by the C++ operator against NumPy."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from memory_cores import DKM, BayesianRegression, GatedDelta, Items, MemoryCore, MemorySizes
from memory_cores.kernels import building
from memory_cores.parts.solving import solved
from tests.memory_cores.kernels.spying import spied

pytestmark = pytest.mark.operators
#: Numbers of rows and of equations: below, at and above the operator's block sizes.
SHAPES = [(1, 1), (2, 7), (3, 8), (1, 9), (0, 4), (5, 25), (40, 16), (2, 33)]


def drawn(rows: int, size: int, batch: tuple[int, ...] = (3, 2)) -> tuple[Tensor, ...]:
    """Draw symmetric matrices, rows, and shifts with which all eigenvalues are at least 0.1."""
    generator = torch.Generator().manual_seed(size)
    roots = torch.randn(*batch, size, size, dtype=torch.double, generator=generator)
    right = torch.randn(*batch, rows, size, dtype=torch.double, generator=generator)
    shifts = 0.1 + torch.rand(batch[-1:], dtype=torch.double, generator=generator)
    return roots @ roots.mT / size, right, shifts


def shifted(matrices: Tensor, shifts: Tensor) -> np.ndarray:
    return matrices.numpy() + shifts.numpy()[..., None, None] * np.eye(matrices.shape[-1])


@pytest.mark.parametrize(("rows", "size"), SHAPES)
@pytest.mark.parametrize(("dtype", "error"), [(torch.double, 1e-11), (torch.float, 1e-3)])
def test_it_solves(rows: int, size: int, dtype: torch.dtype, error: float) -> None:
    matrices, right, shifts = drawn(rows, size)
    found = solved(matrices.to(dtype), right.to(dtype), shifts.to(dtype))
    assert found.dtype is dtype
    expected = right.numpy() @ np.linalg.inv(shifted(matrices, shifts))
    assert found.shape == expected.shape and np.allclose(found, expected, rtol=0, atol=error)


@pytest.mark.parametrize(("rows", "size"), SHAPES)
def test_gradients_are_those_of_symmetric_matrices(rows: int, size: int) -> None:
    def solution(roots: Tensor, right: Tensor, shifts: Tensor) -> Tensor:
        return solved((roots + roots.mT) / 2, right, shifts)

    inputs = tuple(tensor.requires_grad_() for tensor in drawn(rows, size))
    assert torch.autograd.gradcheck(solution, inputs, fast_mode=True)
    each = inputs[2].detach() + torch.arange(3.0).double().unsqueeze(1)
    inputs = (*inputs[:2], each.requires_grad_())
    assert torch.autograd.gradcheck(solution, inputs, fast_mode=True), "not shared"


def test_gradients_of_any_matrix_equal_those_of_python() -> None:
    inputs = tuple(tensor.requires_grad_() for tensor in drawn(3, 6))

    def gradients() -> tuple[Tensor, ...]:
        return torch.autograd.grad(solved(*inputs).sin().sum(), inputs)

    ours = gradients()
    with building.left_out():
        theirs = gradients()
    for found, true in zip(ours, theirs, strict=True):
        torch.testing.assert_close(found, true, rtol=0, atol=1e-11)


def test_batches_are_broadcast() -> None:
    matrices, right, shifts = drawn(3, 5)
    found = solved(matrices[:1], right[:, :1], shifts)
    assert found.shape == right.shape
    expected = right[:, :1].numpy() @ np.linalg.inv(shifted(matrices[:1], shifts))
    assert np.allclose(found, expected, rtol=0, atol=1e-11)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float, torch.double])
def test_singular_matrices_give_finite_results(dtype: torch.dtype) -> None:
    """With equal rows, or all zeros, solutions may be large, but are finite."""
    same, right = torch.ones(2, 2, dtype=dtype), torch.ones(1, 2, dtype=dtype)
    for matrix in (same, 0 * same):
        matrix = matrix.clone().requires_grad_()
        found = solved(matrix, right, matrix.new_zeros(1))
        found.sum().backward()
        assert found.isfinite().all() and matrix.grad.isfinite().all()


@pytest.mark.parametrize("size", [20, 40])
def test_solutions_for_a_matrix_made_indefinite_by_rounding_are_moderate(size: int) -> None:
    generator = torch.Generator().manual_seed(size)
    keys = torch.rand(100, 3, generator=generator) @ torch.rand(3, size, generator=generator)
    keys = 4 * keys
    rounded = (keys.mT @ keys).bfloat16().float()
    assert torch.linalg.eigvalsh(rounded + torch.eye(size))[0] < -1
    right = torch.randn(2, size, generator=generator)
    found = solved(rounded.requires_grad_(), right, torch.ones(1))
    found.square().sum().backward()
    assert found.abs().max() < 100 and rounded.grad.isfinite().all()


@pytest.mark.parametrize("value", [torch.inf, torch.nan])
def test_what_is_not_finite_ends(value: float) -> None:
    """With NaN, or anything else that a trainer can see."""
    matrix = torch.diag(torch.tensor([value, 1.0, 1.0]))
    assert solved(matrix, torch.ones(1, 3), torch.ones(())).shape == (1, 3)


def test_shifts_of_another_batch_are_refused() -> None:
    matrices, rows, _ = drawn(1, 3, batch=(4, 2))
    with pytest.raises(ValueError, match=r"shifts must be of the batch \[4, 2\], got \[3\]"):
        solved(matrices, rows, torch.ones(3).double())


def test_threads_share_large_batches() -> None:
    matrices, right, shifts = drawn(2, 5, batch=(64,))
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        found = solved(matrices, right, shifts)
    finally:
        torch.set_num_threads(threads)
    one_by_one = zip(matrices.split(1), right.split(1), shifts.split(1), strict=True)
    assert torch.equal(found, torch.cat([solved(*each) for each in one_by_one]))


@pytest.mark.parametrize("core", [BayesianRegression, DKM, GatedDelta])
def test_cores_use_it(
    core: Callable[[MemorySizes], MemoryCore], monkeypatch: pytest.MonkeyPatch
) -> None:
    """For equations of 5 places, or of 6 items."""
    calls: list[tuple[Tensor, ...]] = []
    operator = torch.ops.solve_kernel.solve
    monkeypatch.setattr(torch.ops.solve_kernel, "solve", spied(operator, calls))
    built = core(MemorySizes(control=4, key=3, value=2, steps=5, query=3))
    items = Items(torch.randn(2, 6, 3), torch.randn(2, 6, 2), torch.ones(2, 6) > 0)
    state = built.write(built.initial_state(2, items.keys), torch.randn(2, 4), items)
    assert state is not None
    built.lookup(built.snapshot(state, items), torch.randn(2, 7, 3))
    assert calls and all(m.shape[-1] in (5, 6) for m, _, _ in calls)


def test_it_is_traced_where_a_graph_is_compiled() -> None:
    inputs = tuple(tensor.requires_grad_() for tensor in drawn(3, 6))
    traced = torch.compile(solved, fullgraph=True, backend="aot_eager")
    ours, theirs = (
        torch.autograd.grad(way(*inputs).sin().sum(), inputs) for way in (traced, solved)
    )
    for found, true in zip(ours, theirs, strict=True):
        torch.testing.assert_close(found, true)
