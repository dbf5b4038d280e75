"""Convolutional LSTMs: states are maps, gates one convolution (Shi et al. 2015).

As in the authors' TGQN there are no peepholes, and weights have PyTorch's initialisation.
"""

from math import prod
from typing import NamedTuple

import torch
from torch import Tensor, nn

from memory_cores.parts.lstm import gated
from memory_cores.parts.same_convolution import Kernel, SameConvolution


class ConvLSTMCell(nn.Module):
    """LSTM cell whose inputs and states are maps [B, C, H, W].

    Args:
        input_size: total channels I of the inputs.
        hidden_size: channels H of the states.
        kernel_size: kernel size of the gates, odd; maps keep their size.
    """

    def __init__(self, input_size: int, hidden_size: int, kernel_size: int = 5) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.gates = SameConvolution(input_size + hidden_size, 4 * hidden_size, kernel_size)

    def forward(self, hidden: Tensor, cell: Tensor, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return the new hidden and cell states for inputs whose channels sum to I."""
        return gated(self.gates(torch.cat([*inputs, hidden], 1)), cell, dim=1)

    def unroll(self, maps: Tensor) -> Tensor:
        """Return the hidden states [B, T, H, ...] for inputs [B, T, I, ...], from zero states."""
        B, T, channels, *area = maps.shape
        split = self.split(channels, (area[0], area[1]))
        hidden = cell = maps.new_zeros(B, self.hidden_size, *area)
        states = []
        for known in split.known_steps(maps):
            hidden, cell = split.step(known, cell, hidden)
            states.append(hidden)
        return torch.stack(states, 1)

    def split(self, inputs: int, area: tuple[int, int]) -> "SplitConvLSTM":
        """Split the gates for an unroll whose first ``inputs`` channels are known beforehand."""
        known = self.gates.kernel(area, 0, inputs)
        return SplitConvLSTM(known, self.gates.kernel(area, inputs))


class SplitConvLSTM(NamedTuple):
    """A cell's gates for one unroll: the kernels of inputs known beforehand, and of the others."""

    known: Kernel
    others: Kernel

    def known_steps(self, maps: Tensor) -> Tensor:
        """Return the contribution [T, B, ...] of known inputs [B, T, C, H, W] to the gates."""
        return self.known(maps.transpose(0, 1).flatten(0, 1)).unflatten(
            0, (maps.shape[1], maps.shape[0])
        )

    def step(self, known: Tensor, cell: Tensor, *maps: Tensor) -> tuple[Tensor, Tensor]:
        """Take a step with the other inputs, the hidden state last."""
        return gated(known + self.others(torch.cat(maps, 1)), cell, dim=1)


class ConvLSTMCells(nn.Module):
    """A ``ConvLSTMCell`` for flattened maps with any leading dimensions, like ``LSTMCell``.

    The first input is a vector (a key), broadcast over the maps.

    Args:
        place_size: width of the broadcast input.
        map_inputs: channels of the inputs that are maps.
        shape: channels, height and width of a state.
        kernel_size: kernel size of the gates.
    """

    def __init__(
        self, place_size: int, map_inputs: int, shape: tuple[int, int, int], kernel_size: int
    ) -> None:
        super().__init__()
        self.shape = shape
        self.cell = ConvLSTMCell(place_size + map_inputs, shape[0], kernel_size)

    def forward(self, hidden: Tensor, cell: Tensor, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return the new states [..., C H W] for a place [..., P] and flattened maps."""
        place, *maps = (part.flatten(0, -2) for part in inputs)
        everywhere = place[:, :, None, None].expand(-1, -1, *self.shape[1:])
        states = self.cell(*map(self._maps, (hidden, cell)), everywhere, *map(self._maps, maps))
        new_hidden, new_cell = (state.flatten(1).view_as(hidden) for state in states)
        return new_hidden, new_cell

    def start_copying(self, first: int) -> None:
        """Not supported: only cores with read heads need it, and their values are not maps."""
        raise NotImplementedError

    def _maps(self, flattened: Tensor) -> Tensor:
        return flattened.reshape(-1, flattened.shape[-1] // prod(self.shape[1:]), *self.shape[1:])
