"""Soft codes of keys as one operator: a linear map, and the root of a softmax per head."""

import torch
from torch import Tensor, nn

from memory_cores.kernels.building import alike


def soft_codes(keys: Tensor, scores: nn.Linear, heads: int, places: int) -> tuple[Tensor, Tensor]:
    """Return codes of unit length, and gates.

    Args:
        keys: [..., I].
        scores: maps keys to [..., H D + G]; all is computed in its dtype.
        heads: number of heads H.
        places: places D of a code.

    Returns:
        codes: [..., H, D]; gates: [..., G].
    """
    rows = keys.flatten(0, -2) if keys.ndim > 2 else keys
    weight, bias, rows = alike(scores.weight, scores.bias, rows)
    codes, gates = torch.ops.soft_codes_kernel.soft_codes(rows, weight, bias, heads, places)
    if keys.ndim == 2:
        return codes, gates
    shape = keys.shape[:-1]
    return codes.view(*shape, heads, places), gates.view(*shape, gates.shape[1])
