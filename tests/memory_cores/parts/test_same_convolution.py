"""Size-preserving convolutions, as matrices or not, against PyTorch's."""

import pytest
import torch
import torch.nn.functional as F

from memory_cores.parts.same_convolution import SameConvolution

#: Kernel size, height and width of the maps, and whether a matrix is used.
SIZES = [
    (1, (1, 1), True),
    (1, (2, 1), False),
    (3, (1, 2), True),
    (3, (2, 2), True),
    (3, (2, 3), False),
    (5, (3, 2), True),
    (5, (3, 3), True),
    (5, (4, 4), False),
]


@pytest.mark.parametrize(("size", "area", "as_matrix"), SIZES)
def test_outputs_and_gradients_are_those_of_a_convolution(
    size: int, area: tuple[int, int], as_matrix: bool
) -> None:
    torch.manual_seed(0)
    layer = SameConvolution(3, 4, size).double()
    maps = torch.randn(5, 3, *area, dtype=torch.float64, requires_grad=True)
    assert layer.kernel(area).weight.dim() == (2 if as_matrix else 4)
    found = layer(maps)
    expected = F.conv2d(maps, layer.weight, layer.bias, padding="same")
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    parts = [maps, layer.weight, layer.bias]
    cotangent = torch.randn_like(found)
    both = [torch.autograd.grad((y * cotangent).sum(), parts) for y in (found, expected)]
    for one, other in zip(*both, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("area", [(2, 2), (4, 4)])
def test_outputs_of_input_slices_add_up(area: tuple[int, int]) -> None:
    torch.manual_seed(0)
    layer = SameConvolution(6, 4, 3).double()
    maps = torch.randn(2, 6, *area, dtype=torch.float64)
    parts = [(0, 2), (2, 3), (5, None)]
    added = sum(
        layer.kernel(area, first, inputs)(maps[:, first : first + inputs if inputs else None])
        for first, inputs in parts
    )
    torch.testing.assert_close(added, layer(maps), rtol=1e-12, atol=1e-12)
