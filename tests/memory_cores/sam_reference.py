"""One step of sparse access memory in plain float64 loops, after Rae et al. (2016), section 3.

Independent of the implementation: all N slots, no journal, no broadcasting, no torch.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tests.memory_cores.lru_reference import linear

Array = NDArray[np.float64]
EPSILON = 1e-6
DELTA = 0.005


class Reference(NamedTuple):
    """One sequence: N slots of width W, R heads."""

    memory: Array  #: [N, W]
    last: list[int | None]  #: the step in which each slot was last accessed; None for never
    read_weights: Array  #: [R, N]
    write_weights: Array  #: [N]
    step: int


class Maps(NamedTuple):
    """Parameters, each [outputs, inputs] or [outputs]."""

    word_weight: Array
    word_bias: Array
    gate_weight: Array
    gate_bias: Array
    read_weight: Array
    read_bias: Array


def start(slots: int, width: int, heads: int) -> Reference:
    """Return a memory of zeros."""
    zeros = np.zeros
    return Reference(
        zeros((slots, width)), [None] * slots, zeros((heads, slots)), zeros(slots), step=0
    )


def write(state: Reference, control: Array, item: Array | None, maps: Maps) -> Reference:
    """Write an item; without one, only count the step."""
    N, (R, _) = len(state.memory), state.read_weights.shape
    step, memory, last = state.step + 1, state.memory.copy(), list(state.last)
    weights = np.zeros(N)
    if item is None:
        return Reference(memory, last, state.read_weights, weights, step)
    since = [math.inf if when is None else step - when for when in last]
    stalest = since.index(max(since))
    alpha, gamma = (
        1 / (1 + math.exp(-g)) for g in linear(maps.gate_weight, maps.gate_bias, control)
    )
    word = linear(maps.word_weight, maps.word_bias, [*control, *item])
    memory[stalest] = 0
    for i in range(N):
        read_before = sum(float(state.read_weights[r, i]) for r in range(R)) / R
        weights[i] = alpha * (gamma * read_before + (1 - gamma) * (i == stalest))
        for w in range(len(word)):
            memory[i, w] += weights[i] * word[w]
        if weights[i] > DELTA:
            last[i] = step
    return Reference(memory, last, state.read_weights, weights, step)


def read(state: Reference, control: Array, maps: Maps, nearest: int) -> tuple[Array, Reference]:
    """Read the nearest slots among those ever accessed."""
    (N, W), R = state.memory.shape, len(state.read_weights)
    raw = linear(maps.read_weight, maps.read_bias, control)
    weights, words = np.zeros((R, N)), np.zeros(R * W)
    accessed = [i for i in range(N) if state.last[i] is not None]
    for r in range(R):
        key, strength = raw[r * W : (r + 1) * W], raw[R * W + r]
        beta = max(strength, 0.0) + math.log1p(math.exp(-abs(strength)))
        similar = {i: cosine(state.memory[i], key) for i in accessed}
        best = sorted(accessed, key=lambda i: -similar[i])[:nearest]
        total = math.fsum(math.exp(beta * similar[i]) for i in best)
        for i in best:
            weights[r, i] = math.exp(beta * similar[i]) / total
            words[r * W : (r + 1) * W] += weights[r, i] * state.memory[i]
    last = [
        state.step if state.write_weights[i] + weights[:, i].sum() > DELTA else state.last[i]
        for i in range(N)
    ]
    return words, state._replace(read_weights=weights, last=last)


def cosine(row: Array, key: Sequence[float]) -> float:
    """Similarity, with epsilon inside the norms."""
    product = math.fsum(float(m) * k for m, k in zip(row, key, strict=True))
    norms = [math.sqrt(math.fsum(float(x) * float(x) for x in v) + EPSILON) for v in (row, key)]
    return product / (norms[0] * norms[1])
