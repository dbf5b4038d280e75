"""Soft codes by the C++ operator against NumPy, and their gradients."""

import numpy as np
import pytest
import torch
from torch import Tensor

from memory_cores.kernels import building
from memory_cores.parts.soft_codes import SoftCodes
from tests.memory_cores.kernels.spying import spied

pytestmark = pytest.mark.operators
#: Shape of keys without their width, heads, places and gates.
SHAPES = [
    ((4,), 1, 1, 0),
    ((4, 1), 2, 7, 2),
    ((0,), 1, 3, 1),
    ((40,), 3, 25, 3),
    ((2, 3, 5), 2, 9, 0),
]


def drawn(batch: tuple[int, ...], heads: int, places: int, gates: int) -> tuple[SoftCodes, Tensor]:
    torch.manual_seed(places)
    return SoftCodes(6, heads, places, gates).double(), torch.randn(*batch, 6).double()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("dtype", "error"), [(torch.double, 1e-13), (torch.float, 1e-5)])
def test_codes_are_roots_of_shares(
    shape: tuple[tuple[int, ...], int, int, int], dtype: torch.dtype, error: float
) -> None:
    batch, heads, places, gates = shape
    codes, keys = drawn(*shape)
    scores = keys.numpy() @ codes.scores.weight.detach().numpy().T
    scores += codes.scores.bias.detach().numpy()
    exponentials = np.exp(scores[..., : heads * places].reshape(*batch, heads, places))
    found, raw = codes.to(dtype)(keys.to(dtype))
    assert found.dtype is dtype and raw.shape == (*batch, gates)
    expected = np.sqrt(exponentials / exponentials.sum(-1, keepdims=True))
    assert np.allclose(found.detach(), expected, rtol=0, atol=error)
    assert np.allclose(raw.detach(), scores[..., heads * places :], rtol=0, atol=10 * error)


@pytest.mark.parametrize("shape", SHAPES)
def test_gradients(shape: tuple[tuple[int, ...], int, int, int]) -> None:
    codes, keys = drawn(*shape)

    def codes_of(keys: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, ...]:
        return torch.func.functional_call(
            codes, {"scores.weight": weight, "scores.bias": bias}, (keys,)
        )

    inputs = keys.requires_grad_(), codes.scores.weight, codes.scores.bias
    assert torch.autograd.gradcheck(codes_of, inputs)


def test_scores_of_any_size_have_finite_codes() -> None:
    codes, keys = drawn((3,), 2, 5, 1)
    with torch.no_grad():
        codes.scores.weight.mul_(1e6)
    found, _ = codes.float()(keys.float().requires_grad_())
    found.sum().backward()
    assert found.isfinite().all() and codes.scores.weight.grad.isfinite().all()
    torch.testing.assert_close(found.norm(dim=-1), torch.ones(3, 2))


def test_it_is_used_and_traced(monkeypatch: pytest.MonkeyPatch) -> None:
    codes, keys = drawn((4, 1), 2, 7, 2)
    with building.left_out():
        expected = codes(keys)
    for found, true in zip(torch.compile(codes, backend="aot_eager")(keys), expected, strict=True):
        torch.testing.assert_close(found, true)
    calls: list[tuple[Tensor, ...]] = []
    operator = torch.ops.soft_codes_kernel.soft_codes
    monkeypatch.setattr(torch.ops.soft_codes_kernel, "soft_codes", spied(operator, calls))
    for found, true in zip(codes(keys), expected, strict=True):
        torch.testing.assert_close(found, true)
    assert len(calls) == 1
