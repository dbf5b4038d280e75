"""LSTM step as one operator: recurrent product, gates and states."""

import torch
from torch import Tensor

from memory_cores.kernels import building


def serves(known: Tensor, inputs: Tensor, weight: Tensor, cell: Tensor) -> bool:
    """Tell whether the operator supports this step: on a CPU, in one float type."""
    if not (building.are_in_use() and known.is_cpu) or torch.is_autocast_enabled("cpu"):
        return False
    kind = known.dtype
    alike = kind == inputs.dtype == weight.dtype == cell.dtype
    return alike and kind in (torch.float32, torch.float64)


def step(known: Tensor, inputs: Tensor, weight: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    """Take a step whose raw gates are ``known + inputs @ weight.T``.

    Args:
        known: [B, 4 H].
        inputs: [B, I].
        weight: [4 H, I].
        cell: [B, H].

    Returns:
        Hidden and cell state, [B, H].
    """
    arguments = (tensor.contiguous() for tensor in (known, inputs, weight, cell))
    hidden, new_cell, _ = torch.ops.lstm_kernel.step(*arguments)
    return hidden, new_cell
