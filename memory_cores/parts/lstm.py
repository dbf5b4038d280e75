"""The LSTM's equations, and cells for what is tracked: one for all rows, or one for each of K."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from memory_cores.kernels import lstm as lstm_kernel


class LSTMCell(nn.Module):
    """One LSTM step with one bias a gate, whatever the leading dimensions (any but the last).

    Glorot weights, zero biases, 1 at the forget gate, as in the authors' TensorFlow.

    Args:
        input_size: I.
        hidden_size: H.
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.gates = nn.Linear(input_size + hidden_size, 4 * hidden_size)
        nn.init.xavier_uniform_(self.gates.weight)
        start_remembering(self.gates.bias)

    def forward(self, hidden: Tensor, cell: Tensor, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return the new hidden and cell states [..., H] for inputs of widths that sum to I."""
        return gated(self.gates(torch.cat([*inputs, hidden], -1)), cell)

    def unroll(self, inputs: Tensor) -> Tensor:
        """Return the hidden states [B, T, H] after each of the inputs [B, T, I], all known before.

        On a CPU in one call of PyTorch's; elsewhere, where a graph can be captured of it, and under
        autocast, with which that call does not get along, as a loop.
        """
        at_once = inputs.is_cpu and not torch.is_autocast_enabled("cpu")
        return self._in_one_call(inputs) if at_once else self._as_loop(inputs)

    def _in_one_call(self, inputs: Tensor) -> Tensor:
        """With gates in PyTorch's order, which has the candidate before the output gate."""
        size = self.gates.out_features // 4
        order = [0, 1, 3, 2]
        weight, bias = (part.unflatten(0, (4, size))[order] for part in self.gates.parameters())
        from_input, from_hidden = weight.flatten(0, 1).split([inputs.shape[-1], size], 1)
        start = inputs.new_zeros(1, len(inputs), size)
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
        """Unroll with one product for all steps of whatever does not depend on the hidden state."""
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
    """K LSTM cells with weights of their own, in one batched product.

    Args:
        cells: K.
        input_size: I.
        hidden_size: H.
    """

    def __init__(self, cells: int, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(cells, input_size + hidden_size, 4 * hidden_size))
        self.bias = nn.Parameter(torch.empty(cells, 1, 4 * hidden_size))
        for weight in self.weight.unbind():
            nn.init.xavier_uniform_(weight)
        start_remembering(self.bias)

    def forward(self, hidden: Tensor, cell: Tensor, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return the new hidden and cell states [B, K, H] for inputs [B, K, ...] of width I."""
        rows = torch.cat([*inputs, hidden], -1).transpose(0, 1)
        return gated(torch.baddbmm(self.bias, rows, self.weight).transpose(0, 1), cell)


@torch.no_grad()
def start_remembering(bias: Tensor) -> None:
    """Zero the gates' biases [..., 4 H], and let the forget gates start at 1."""
    hidden_size = bias.shape[-1] // 4
    bias.zero_()[..., hidden_size : 2 * hidden_size] = 1


def lstm_step(known: Tensor, inputs: Tensor, weight: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    """Hidden and cell state [B, H] after a step of which something is known beforehand.

    Args:
        known: [B, 4 H], part of the raw gates.
        inputs: [B, I].
        weight: [4 H, I], of the inputs.
        cell: [B, H], of the step before.
    """
    if lstm_kernel.serves(known, inputs, weight, cell):
        return lstm_kernel.step(known, inputs, weight, cell)
    return gated(torch.addmm(known, inputs, weight.mT), cell)


def gated(gates: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    """Hidden and cell state [..., H] after the raw input, forget, output, candidate gates."""
    hidden_size = cell.shape[-1]
    sigmoids, candidate = gates.split([3 * hidden_size, hidden_size], -1)
    write, keep, show = sigmoids.sigmoid().chunk(3, -1)
    cell = keep * cell + write * candidate.tanh()
    return show * cell.tanh(), cell
