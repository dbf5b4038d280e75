"""LSTM equations, and cells with shared or with separate weights."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from memory_cores.kernels import lstm as lstm_kernel


class LSTMCell(nn.Module):
    """LSTM cell with one bias per gate, for any leading dimensions.

    Initial weights are Glorot's; biases are 0, but 1 at the forget gate, as in the authors'
    TensorFlow code.

    Args:
        input_size: total width I of the inputs.
        hidden_size: width H of the states.
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.gates = nn.Linear(input_size + hidden_size, 4 * hidden_size)
        nn.init.xavier_uniform_(self.gates.weight)
        start_remembering(self.gates.bias)

    @property
    def rows(self) -> tuple[Tensor, Tensor]:
        """Weights [4 H, I + H] and biases [4 H] of the gates."""
        return self.gates.weight, self.gates.bias

    def start_copying(self, first: int) -> None:
        """Start by passing H inputs on, from index ``first``; see ``start_copying``."""
        start_copying(*self.rows, first)

    def forward(self, hidden: Tensor, cell: Tensor, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return the new hidden and cell states [..., H] for inputs of widths that sum to I."""
        return gated(self.gates(torch.cat([*inputs, hidden], -1)), cell)

    def unroll(self, inputs: Tensor) -> Tensor:
        """Return the hidden states [B, T, H] for inputs [B, T, I], from zero states.

        On a CPU this is one call of PyTorch's LSTM, which does not support autocast; otherwise a
        loop, which a CUDA graph can capture.
        """
        at_once = inputs.is_cpu and not torch.is_autocast_enabled("cpu")
        return self._in_one_call(inputs) if at_once else self._as_loop(inputs)

    def _in_one_call(self, inputs: Tensor) -> Tensor:
        """Unroll in one call, with gates in PyTorch's order: candidate before output gate."""
        size = self.gates.out_features // 4
        order = [0, 1, 3, 2]
        weight, bias = (part.unflatten(0, (4, size))[order] for part in self.gates.parameters())
        from_input, from_hidden = weight.flatten(0, 1).split([inputs.shape[-1], size], 1)
        start = inputs.new_zeros(1, len(inputs), size)
        # PyTorch has a second bias per gate, 0 here.
        biases = bias.flatten(), torch.zeros_like(bias).flatten()
        parameters = (from_input.contiguous(), from_hidden.contiguous(), *biases)
        hidden, *_ = torch.lstm(
            inputs,
            (start, start),
            parameters,
            has_biases=True,
            num_layers=1,
            dropout=0.0,
            train=self.training,
            bidirectional=False,
            batch_first=True,
        )
        return hidden

    def _as_loop(self, inputs: Tensor) -> Tensor:
        """Unroll in a loop, after one product for the inputs of all steps."""
        size = self.gates.out_features // 4
        from_input, from_hidden = self.gates.weight.split([inputs.shape[-1], size], 1)
        known = F.linear(inputs, from_input, self.gates.bias)
        hidden = cell = inputs.new_zeros(len(inputs), size)
        states = []
        for step in known.unbind(1):
            hidden, cell = gated(torch.addmm(step, hidden, from_hidden.T), cell)
            states.append(hidden)
        return torch.stack(states, 1)


class SeparateLSTMCells(nn.Module):
    """K LSTM cells with separate weights, in one batched product.

    Args:
        cells: number of cells K.
        input_size: total width I of the inputs.
        hidden_size: width H of the states.
    """

    def __init__(self, cells: int, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(cells, input_size + hidden_size, 4 * hidden_size))
        self.bias = nn.Parameter(torch.empty(cells, 1, 4 * hidden_size))
        for weight in self.weight.unbind():
            nn.init.xavier_uniform_(weight)
        start_remembering(self.bias)

    @property
    def rows(self) -> tuple[Tensor, Tensor]:
        """Weights [K, 4 H, I + H] and biases [K, 4 H] of the gates."""
        return self.weight.mT, self.bias.squeeze(1)

    def start_copying(self, first: int) -> None:
        """Start by passing H inputs on, from index ``first``; see ``start_copying``."""
        start_copying(*self.rows, first)

    def forward(self, hidden: Tensor, cell: Tensor, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return the new hidden and cell states [B, K, H] for inputs [B, K, ...], I wide in all."""
        rows = torch.cat([*inputs, hidden], -1).transpose(0, 1)
        return gated(torch.baddbmm(self.bias, rows, self.weight).transpose(0, 1), cell)


@torch.no_grad()
def start_remembering(bias: Tensor) -> None:
    """Set the gates' biases [..., 4 H] to 0, those of forget gates to 1."""
    hidden_size = bias.shape[-1] // 4
    bias.zero_()[..., hidden_size : 2 * hidden_size] = 1


@torch.no_grad()
def start_copying(weight: Tensor, bias: Tensor, first: int) -> None:
    """Start by passing H of the inputs through tanh; the cell keeps nothing else.

    Args:
        weight: [..., 4 H, I + H].
        bias: [..., 4 H].
        first: index of the first of these inputs.
    """
    hidden_size = bias.shape[-1] // 4
    weight.mul_(0.1)
    weight[..., 3 * hidden_size :, first : first + hidden_size] = torch.eye(hidden_size)
    for gate, opening in zip(bias.split(hidden_size, -1), (6.0, -6.0, 6.0, 0.0), strict=True):
        gate.fill_(opening)


def lstm_step(known: Tensor, inputs: Tensor, weight: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    """Take a step with partly precomputed gates; return hidden and cell state, [B, H].

    Args:
        known: [B, 4 H], the precomputed part of the raw gates.
        inputs: [B, I].
        weight: [4 H, I], weights of the inputs.
        cell: [B, H], the previous cell state.
    """
    if lstm_kernel.serves(known, inputs, weight, cell):
        return lstm_kernel.step(known, inputs, weight, cell)
    return gated(torch.addmm(known, inputs, weight.mT), cell)


def gated(gates: Tensor, cell: Tensor, dim: int = -1) -> tuple[Tensor, Tensor]:
    """Apply raw input, forget, output and candidate gates; return new states [..., H].

    Args:
        gates: [..., 4 H].
        cell: [..., H].
        dim: the dimension of size 4 H and H.
    """
    hidden_size = cell.shape[dim]
    # The candidate is last, so that one sigmoid call covers all three gates.
    sigmoids, candidate = gates.split([3 * hidden_size, hidden_size], dim)
    write, keep, show = sigmoids.sigmoid().chunk(3, dim)
    cell = keep * cell + write * candidate.tanh()
    return show * cell.tanh(), cell
