"""One step of least-recently-used access in plain float64 loops, after Santoro et al. (2016).

Independent of the implementation: no broadcasting over batch, heads or slots, no torch.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
EPSILON = 1e-6
TIE = 2.0**-20


class ReferenceState(NamedTuple):
    """B sequences, N slots of width W, R heads."""

    memory: Array  #: [B, N, W]
    usage: Array  #: [B, N], without the weights below
    written: Array  #: [B, N]
    write_weights: Array  #: [B, R, N]
    read_weights: Array  #: [B, R, N]


class Maps(NamedTuple):
    """Parameters, each [outputs, inputs] or [outputs]."""

    word_weight: Array
    word_bias: Array
    gate_weight: Array
    gate_bias: Array
    read_weight: Array
    read_bias: Array


def step(
    state: ReferenceState,
    control: Array,
    items: tuple[Array, Array, NDArray[np.bool_]],
    maps: Maps,
    decay: float,
) -> tuple[Array, ReferenceState]:
    """Write, then read.

    Args:
        state: state after the previous step.
        control: [B, control].
        items: keys [B, I, Dk], values [B, I, Dv], mask [B, I], averaged to one item.
        maps: words, gates, and the read heads' keys and strengths.
        decay: decay of the usage.

    Returns:
        reads: [B, R * W]; the state.
    """
    reads, states = [], []
    for b in range(len(control)):
        keys, values, mask = (part[b] for part in items)
        real = [np.concatenate([keys[i], values[i]]) for i in range(len(mask)) if mask[i]]
        item = sum(real) / len(real) if real else None
        written = write(
            ReferenceState(*(field[b] for field in state)), control[b], item, maps, decay
        )
        words, last = read(written, control[b], maps)
        reads.append(words)
        states.append(last)
    return np.stack(reads), ReferenceState(
        *(np.stack(field) for field in zip(*states, strict=True))
    )


def write(
    state: ReferenceState, control: Array, item: Array | None, maps: Maps, decay: float
) -> ReferenceState:
    """Write one sequence's step; its state has no batch axis. No item, no write."""
    (N, W), R = state.memory.shape, len(state.read_weights)
    usage = np.zeros(N)
    for i in range(N):
        usage[i] = decay * state.usage[i]
        for r in range(R):
            usage[i] += state.read_weights[r, i] + state.write_weights[r, i]
    memory, written, weights = state.memory.copy(), state.written.copy(), np.zeros((R, N))
    if item is None:
        return ReferenceState(memory, usage, written, weights, state.read_weights)

    by_usage = sorted(range(N), key=lambda i: (round(float(usage[i]) / TIE), i))
    least_used = [by_usage[r % N] for r in range(R)]
    for slot in least_used:
        memory[slot], written[slot] = 0, 0
    gates = linear(maps.gate_weight, maps.gate_bias, control)
    words = linear(maps.word_weight, maps.word_bias, [*control, *item])
    for r in range(R):
        gate = 1 / (1 + math.exp(-gates[r]))
        for i in range(N):
            weights[r, i] = gate * state.read_weights[r, i]
            if i == least_used[r]:
                weights[r, i] += 1 - gate
            written[i] += (1 - written[i]) * weights[r, i]
            for w in range(W):
                memory[i, w] += weights[r, i] * words[r * W + w]
    return ReferenceState(memory, usage, written, weights, state.read_weights)


def read(state: ReferenceState, control: Array, maps: Maps) -> tuple[Array, ReferenceState]:
    """Read one sequence's step; its state has no batch axis."""
    (N, W), R = state.memory.shape, len(state.read_weights)
    raw = linear(maps.read_weight, maps.read_bias, control)
    weights, words = np.zeros((R, N)), np.zeros(R * W)
    for r in range(R):
        key = raw[r * W : (r + 1) * W]
        strength = max(raw[R * W + r], 0.0) + math.log1p(math.exp(-abs(raw[R * W + r])))
        key_norm = math.sqrt(math.fsum(k * k for k in key) + EPSILON)
        scores = []
        for slot in state.memory:
            norm = math.sqrt(math.fsum(float(m) * float(m) for m in slot) + EPSILON)
            product = math.fsum(float(m) * k for m, k in zip(slot, key, strict=True))
            scores.append(strength * product / (norm * key_norm))
        exponentials = [math.exp(score - max(scores)) for score in scores]
        for i in range(N):
            weights[r, i] = exponentials[i] / math.fsum(exponentials)
            for w in range(W):
                words[r * W + w] += weights[r, i] * state.memory[i, w]
    return words, state._replace(read_weights=weights)


def linear(weight: Array, bias: Array, vector: Sequence[float] | Array) -> list[float]:
    """Return the outputs of a linear map one by one."""
    return [
        float(offset + sum(float(a) * float(x) for a, x in zip(row, vector, strict=True)))
        for row, offset in zip(weight, bias, strict=True)
    ]
