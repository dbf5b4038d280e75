"""Convolutional LSTMs: split steps, flattened maps, and equality with an LSTM on one pixel.

`tests/whole_models/test_rendering_by_reference.py` compares them with NumPy.
"""

import pytest
import torch

from memory_cores.parts.conv_lstm import ConvLSTMCell, ConvLSTMCells
from memory_cores.parts.lstm import LSTMCell


def test_known_inputs_may_be_convolved_before_the_loop() -> None:
    torch.manual_seed(0)
    cell = ConvLSTMCell(5, 4, kernel_size=3).double()
    first, second = (torch.randn(2, n, 3, 3).double() for n in (2, 3))
    hidden, memory = (torch.randn(2, 4, 3, 3).double() for _ in range(2))
    expected = cell(hidden, memory, first, second)
    split = cell.split(2, (3, 3))
    found = split.step(split.known(first), memory, second, hidden)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("area", [(2, 2), (3, 3)])
def test_an_unroll_is_step_after_step_from_zero(area: tuple[int, int]) -> None:
    torch.manual_seed(0)
    cell = ConvLSTMCell(3, 4, kernel_size=3).double()
    maps = torch.randn(2, 5, 3, *area, dtype=torch.float64)
    hidden = memory = torch.zeros(2, 4, *area, dtype=torch.float64)
    found = cell.unroll(maps)
    for t in range(5):
        hidden, memory = cell(hidden, memory, maps[:, t])
        torch.testing.assert_close(found[:, t], hidden)


def test_on_maps_of_one_pixel_it_is_an_lstm() -> None:
    torch.manual_seed(0)
    cell, lstm = ConvLSTMCell(3, 4, kernel_size=1), LSTMCell(3, 4)
    with torch.no_grad():
        cell.gates.weight.copy_(lstm.gates.weight[:, :, None, None])
        cell.gates.bias.copy_(lstm.gates.bias)
    inputs, hidden, memory = torch.randn(2, 3), torch.randn(2, 4), torch.randn(2, 4)
    expected = lstm(hidden, memory, inputs)
    found = cell(*(part[:, :, None, None] for part in (hidden, memory, inputs)))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one[:, :, 0, 0], other)


def test_flattened_maps_with_leading_dimensions_are_maps() -> None:
    torch.manual_seed(0)
    cells = ConvLSTMCells(place_size=2, map_inputs=3, shape=(4, 2, 2), kernel_size=3)
    hidden, memory = torch.randn(5, 6, 16), torch.randn(5, 6, 16)
    place, maps = torch.randn(5, 6, 2), torch.randn(5, 6, 12)
    found = cells(hidden, memory, place, maps)
    for b, k in ((0, 0), (4, 5), (2, 3)):
        one = [part[b, k].view(1, -1, 2, 2) for part in (hidden, memory)]
        everywhere = place[b, k].view(1, 2, 1, 1).expand(1, 2, 2, 2)
        expected = cells.cell(*one, everywhere, maps[b, k].view(1, 3, 2, 2))
        for part, whole in zip(found, expected, strict=True):
            torch.testing.assert_close(part[b, k], whole.flatten())


def test_on_two_by_two_maps_the_outer_weights_of_a_five_kernel_are_unused() -> None:
    torch.manual_seed(0)
    wide, narrow = (ConvLSTMCell(3, 4, kernel_size=size) for size in (5, 3))
    with torch.no_grad():
        narrow.gates.weight.copy_(wide.gates.weight[:, :, 1:-1, 1:-1])
        narrow.gates.bias.copy_(wide.gates.bias)
    maps = torch.randn(2, 4, 2, 2), torch.randn(2, 4, 2, 2), torch.randn(2, 3, 2, 2)
    for one, other in zip(wide(*maps), narrow(*maps), strict=True):
        torch.testing.assert_close(one, other)
