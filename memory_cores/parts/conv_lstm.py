"""Convolutional LSTMs: states are maps, gates one convolution (Shi et al. 2015).

As in the authors' TGQN there are no peepholes, and weights start as PyTorch's do.
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
        input_size: channels I of all inputs together.
        hidden_size: channels H of the states.
        kernel_size: of the gates' convolution, odd; maps keep their size.
    """

    def __init__(self, input_size: int, hidden_size: int, kernel_size: int = 5) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.gates = SameConvolution(input_size + hidden_size, 4 * hidden_size, kernel_size)

    def forward(self, hidden: Tensor, cell: Tensor, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return the new hidden and cell states for inputs whose channels sum to I."""
        return gated(self.gates(torch.cat([*inputs, hidden], 1)), cell, dim=1)

    def unroll(self, maps: Tensor) -> Tensor:
        """Return the hidden states [B, T, H, ...] after each step, for all inputs [B, T, I, ...].

        States are zero before the first one.
        """
        B, T, channels, *area = maps.shape
        split = self.split(channels, (area[0], area[1]))
        hidden = cell = maps.new_zeros(B, self.hidden_size, *area)
        states = []
        for known in split.known_steps(maps):
            hidden, cell = split.step(known, cell, hidden)
            states.append(hidden)
        return torch.stack(states, 1)

    def split(self, inputs: int, area: tuple[int, int]) -> "SplitConvLSTM":
        """Prepare an unroll in which the first inputs are known beforehand."""
        known = self.gates.kernel(area, 0, inputs)
        return SplitConvLSTM(known, self.gates.kernel(area, inputs))


class SplitConvLSTM(NamedTuple):
    """A cell's gates for one unroll: of inputs known beforehand, and of all others."""

    known: Kernel
    others: Kernel

    def known_steps(self, maps: Tensor) -> Tensor:
        """Return what the known inputs [B, T, C, H, W] add to the gates, [T, B, ...]."""
        return self.known(maps.transpose(0, 1).flatten(0, 1)).unflatten(
            0, (maps.shape[1], maps.shape[0])
        )

    def step(self, known: Tensor, cell: Tensor, *maps: Tensor) -> tuple[Tensor, Tensor]:
        """Take a step with the other inputs, and the hidden state as their last."""
        return gated(known + self.others(torch.cat(maps, 1)), cell, dim=1)


class ConvLSTMCells(nn.Module):
    """A ``ConvLSTMCell`` for flattened maps with any leading dimensions, as ``LSTMCell`` is.

    Inputs that are no maps (keys) are the same everywhere on the maps.

    Args:
        place_size: width of an input that is the same everywhere, which comes first.
        map_inputs: channels of the inputs that are maps.
        shape: channels, height and width of a state.
        kernel_size: of the gates' convolution.
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
        """Refuse: only cores that read with heads start so, and their values are no maps."""
        raise NotImplementedError

    def _maps(self, flattened: Tensor) -> Tensor:
        return flattened.reshape(-1, flattened.shape[-1] // prod(self.shape[1:]), *self.shape[1:])
