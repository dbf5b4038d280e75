"""One step of an NTM memory in plain float64 loops, after Graves et al. (2014), section 3.

Independent of the implementation: the circular convolution is the paper's double sum with
indices modulo N, there is no broadcasting over batch, heads or slots, and no torch.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
EPSILON = 1e-6


class ReferenceState(NamedTuple):
    """B sequences, N slots of width W, R read heads, H write heads."""

    memory: Array  #: [B, N, W]
    written: Array  #: [B, N]
    write_focus: Array  #: [B, H, N]
    write_weights: Array  #: [B, H, N]
    read_weights: Array  #: [B, R, N]


class Maps(NamedTuple):
    """Parameters, each [outputs, inputs] or [outputs]."""

    vector_weight: Array
    vector_bias: Array
    write_weight: Array
    write_bias: Array
    read_weight: Array
    read_bias: Array


def step(
    state: ReferenceState, control: Array, items: tuple[Array, Array, NDArray[np.bool_]], maps: Maps
) -> tuple[Array, ReferenceState]:
    """Write, then read.

    Args:
        state: state after the previous step.
        control: [B, control].
        items: keys [B, I, Dk], values [B, I, Dv], mask [B, I], averaged to one item.
        maps: erase and add vectors, and addressing of write and read heads.

    Returns:
        reads: [B, R * W]; the state.
    """
    reads, states = [], []
    for b in range(len(control)):
        keys, values, mask = (part[b] for part in items)
        real = [np.concatenate([keys[i], values[i]]) for i in range(len(mask)) if mask[i]]
        one = ReferenceState(*(field[b] for field in state))
        if real:
            one = write(one, [*control[b], *(sum(real) / len(real))], maps)
        else:
            one = one._replace(write_weights=np.zeros_like(one.write_weights))
        raw = linear(maps.read_weight, maps.read_bias, control[b])
        weights = address(one.memory, one.read_weights, raw)
        N, W = one.memory.shape
        words = [
            sum(weights[r, i] * one.memory[i, w] for i in range(N))
            for r in range(len(weights))
            for w in range(W)
        ]
        reads.append(np.array(words))
        states.append(one._replace(read_weights=weights))
    return np.stack(reads), ReferenceState(
        *(np.stack(field) for field in zip(*states, strict=True))
    )


def write(state: ReferenceState, inputs: Sequence[float], maps: Maps) -> ReferenceState:
    """Write one sequence's item; its state has no batch axis."""
    (N, W), H = state.memory.shape, len(state.write_focus)
    raw = linear(maps.write_weight, maps.write_bias, inputs)
    weights = address(state.memory, state.write_focus, raw)
    vectors = linear(maps.vector_weight, maps.vector_bias, inputs)
    memory, written = state.memory.copy(), state.written.copy()
    for h in range(H):
        for i in range(N):
            written[i] = 1 - (1 - written[i]) * (1 - weights[h, i])
            for w in range(W):
                memory[i, w] *= 1 - weights[h, i] / (1 + math.exp(-vectors[h * W + w]))
    for h in range(H):
        for i in range(N):
            for w in range(W):
                memory[i, w] += weights[h, i] * vectors[H * W + h * W + w]
    return ReferenceState(memory, written, weights, weights, state.read_weights)


def address(memory: Array, before: Array, raw: Sequence[float]) -> Array:
    """Return the weights [K, N] of K heads from their previous ones, equations 5 to 9."""
    (N, W), K = memory.shape, len(before)
    numbers = iter(raw)
    keys = [[next(numbers) for _ in range(W)] for _ in range(K)]
    strengths = [softplus(next(numbers)) for _ in range(K)]
    gates = [1 / (1 + math.exp(-next(numbers))) for _ in range(K)]
    moves = [[next(numbers) for _ in range(3)] for _ in range(K)]
    powers = [1 + softplus(next(numbers)) for _ in range(K)]
    assert next(numbers, None) is None, "the interface is longer than its parts"
    weights = np.zeros((K, N))
    for k in range(K):
        content = content_of(memory, keys[k], strengths[k])
        gated = [gates[k] * content[i] + (1 - gates[k]) * before[k, i] for i in range(N)]
        chances = softmax(moves[k])
        moved = [0.0] * N
        for i in range(N):
            for move, chance in zip((-1, 0, 1), chances, strict=True):
                moved[(i + move) % N] += gated[i] * chance
        logs = [math.log(w) if w > 0 else -math.inf for w in moved]
        weights[k] = softmax([powers[k] * x for x in logs])
    return weights


def content_of(memory: Array, key: Sequence[float], strength: float) -> list[float]:
    """Softmax of the strength times the cosine similarity of each slot with the key."""
    key_norm = math.sqrt(math.fsum(k * k for k in key) + EPSILON)
    scores = []
    for slot in memory:
        norm = math.sqrt(math.fsum(float(m) * float(m) for m in slot) + EPSILON)
        product = math.fsum(float(m) * k for m, k in zip(slot, key, strict=True))
        scores.append(strength * product / (norm * key_norm))
    return softmax(scores)


def softplus(x: float) -> float:
    """log(1 + exp(x)), without overflow."""
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def softmax(scores: Sequence[float]) -> list[float]:
    """Softmax, without overflow."""
    exponentials = [math.exp(score - max(scores)) for score in scores]
    return [exponential / math.fsum(exponentials) for exponential in exponentials]


def linear(weight: Array, bias: Array, vector: Sequence[float] | Array) -> list[float]:
    """Return the outputs of a linear map one by one."""
    return [
        float(offset + sum(float(a) * float(x) for a, x in zip(row, vector, strict=True)))
        for row, offset in zip(weight, bias, strict=True)
    ]
