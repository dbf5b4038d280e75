"""Convolutional LSTMs: states are maps, gates one convolution (Shi et al. 2015).

As in the authors' TGQN there are no peepholes, and weights start as PyTorch's do.
"""

from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from memory_cores.parts.lstm import gated


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
        channels, padding = input_size + hidden_size, kernel_size // 2
        self.gates = nn.Conv2d(channels, 4 * hidden_size, kernel_size, padding=padding)

    def forward(self, hidden: Tensor, cell: Tensor, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return the new hidden and cell states for inputs whose channels sum to I."""
        return gated(self.gates(torch.cat([*inputs, hidden], 1)), cell, dim=1)

    def unroll(self, maps: Tensor) -> Tensor:
        """Return the hidden states [B, T, H, ...] after each step, for all inputs [B, T, I, ...].

        States are zero before the first one.
        """
        known = self.known(maps.transpose(0, 1).flatten(0, 1), 0)
        hidden = cell = maps.new_zeros(len(maps), self.hidden_size, *maps.shape[3:])
        states = []
        for gates in known.unflatten(0, (maps.shape[1], len(maps))):
            hidden, cell = self.step(gates, maps.shape[2], cell, hidden)
            states.append(hidden)
        return torch.stack(states, 1)

    def known(self, maps: Tensor, first: int) -> Tensor:
        """Return what some of the inputs add to the gates; the bias is in what the first ones add.

        Convolutions are linear, so that inputs which are known beforehand pass before a loop.

        Args:
            maps: [B, C, H, W], inputs `first` to `first + C - 1`.
            first: number of their first channel.
        """
        weight = self.gates.weight[:, first : first + maps.shape[1]]
        bias = self.gates.bias if first == 0 else None
        return F.conv2d(maps, weight, bias, padding=self.gates.padding)

    def step(self, known: Tensor, first: int, cell: Tensor, *maps: Tensor) -> tuple[Tensor, Tensor]:
        """Take a step with the other inputs, from channel `first` on, and the hidden state."""
        return gated(known + self.known(torch.cat(maps, 1), first), cell, dim=1)


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
