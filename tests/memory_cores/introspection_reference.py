"""One step of an introspection memory in plain float64 loops, after Gemici et al. (2017, 3.1).

Each sequence's memory is a list of values, the newest first. Independent of the
implementation: no tensors to shift, no broadcasting over batch, heads or positions, no torch.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Maps(NamedTuple):
    """Parameters, each [outputs, inputs] or [outputs]."""

    hidden_weight: Array
    hidden_bias: Array
    output_weight: Array
    output_bias: Array
    gate_weight: Array
    gate_bias: Array


def step(
    memories: list[list[Array]],
    slots: int,
    heads: int,
    kind: str,
    control: Array,
    values: Array,
    mask: NDArray[np.bool_],
    maps: Maps,
) -> tuple[Array, Array, list[list[Array]]]:
    """Write, then read.

    Args:
        memories: the values of each sequence, at most ``slots``.
        slots, heads, kind: the core's settings.
        control: [B, control]; values: [B, I, V]; mask: [B, I].
        maps: attention network and gates.

    Returns:
        reads: [B, R * V]; weights by position: [B, R, N]; the memories.
    """
    reads, weights, after = [], [], []
    for b in range(len(control)):
        real = [values[b, i] for i in range(values.shape[1]) if mask[b, i]]
        memory = list(memories[b])
        if real:
            memory = [sum(real) / len(real), *memory][:slots]
        hidden = [math.tanh(x) for x in linear(maps.hidden_weight, maps.hidden_bias, control[b])]
        raw = linear(maps.output_weight, maps.output_bias, hidden)
        gates = linear(maps.gate_weight, maps.gate_bias, control[b])
        width, V = len(raw) // heads, values.shape[2]
        head_weights = [attend(raw[r * width : (r + 1) * width], slots, kind) for r in range(heads)]
        words = np.zeros(heads * V)
        for r in range(heads):
            for v in range(V):
                read = sum(head_weights[r][p] * memory[p][v] for p in range(len(memory)))
                words[r * V + v] = read / (1 + math.exp(-gates[r * V + v]))
        reads.append(words)
        weights.append(head_weights)
        after.append(memory)
    return np.array(reads), np.array(weights), after


def attend(raw: Sequence[float], slots: int, kind: str) -> list[float]:
    """Return one head's weights over all positions, including empty ones."""
    if kind == "softplus":
        scores = [max(x, 0.0) + math.log1p(math.exp(-abs(x))) for x in raw]
    elif kind == "softmax":
        scores = [math.exp(x - max(raw)) for x in raw]
    else:
        centre = (slots - 1) / (1 + math.exp(-raw[0]))
        width = 0.3 + max(raw[1], 0.0) + math.log1p(math.exp(-abs(raw[1])))
        nearest = min((p - centre) ** 2 for p in range(slots))
        scores = [
            math.exp((nearest - (p - centre) ** 2) / (2 * width * width)) for p in range(slots)
        ]
    total = math.fsum(scores)
    return [score / total for score in scores]


def linear(weight: Array, bias: Array, vector: Sequence[float] | Array) -> list[float]:
    """Return the outputs of a linear map one by one."""
    return [
        float(offset + sum(float(a) * float(x) for a, x in zip(row, vector, strict=True)))
        for row, offset in zip(weight, bias, strict=True)
    ]
