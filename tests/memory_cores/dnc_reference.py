"""One step of a DNC memory in plain float64 loops, after the Methods of Graves et al. (2016).

Conventions of DeepMind's code: softplus strengths, epsilon 1e-6 inside the norms and in the sorted
usage, write heads allocated in sequence. Independent of the implementation: no broadcasting over
batch, heads or slots, an actual sort, no torch.
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
EPSILON = 1e-6


class ReferenceState(NamedTuple):
    """B sequences, N slots of width W, R read heads, H write heads."""

    memory: Array  #: [B, N, W]
    usage: Array  #: [B, N]
    precedence: Array  #: [B, H, N]
    link: Array  #: [B, H, N, N]
    write_weights: Array  #: [B, H, N]
    read_weights: Array  #: [B, R, N]


class Linear(NamedTuple):
    """A linear map to a raw interface vector."""

    weight: Array  #: [outputs, inputs]
    bias: Array  #: [outputs]

    def __call__(self, vector: Array) -> Iterator[float]:
        """Yield the outputs one by one, in the order of the interface."""
        for row, offset in zip(self.weight, self.bias, strict=True):
            yield float(offset + sum(float(a) * float(b) for a, b in zip(row, vector, strict=True)))


class ReferenceItems(NamedTuple):
    """The masked set of one step."""

    keys: Array  #: [B, I, Dk]
    values: Array  #: [B, I, Dv]
    mask: NDArray[np.bool_]  #: [B, I]


def step(
    state: ReferenceState,
    control: Array,
    items: ReferenceItems,
    write_map: Linear,
    read_map: Linear,
    used_writes: Array | None = None,
) -> tuple[Array, ReferenceState]:
    """Usage, write, link, read.

    Args:
        state: state after the previous step.
        control: [B, control].
        items: averaged to one item; a sequence without items writes nothing.
        write_map: maps [control; key; value]; read_map: maps the control.
        used_writes: write weights [B, H, N] for the usage instead of the state's. Kept fixed under
            finite differences, they correspond to the stop-gradient.

    Returns:
        reads: [B, R * W]; the state.
    """
    used_writes = state.write_weights if used_writes is None else used_writes
    reads, states = [], []
    for b in range(len(control)):
        one = ReferenceState(*(field[b] for field in state))
        item, present = mean_item(items.keys[b], items.values[b], items.mask[b])
        written = write(one, write_map(np.concatenate([control[b], item])), present, used_writes[b])
        words, last = read(written, read_map(control[b]))
        reads.append(words)
        states.append(last)
    return np.stack(reads), ReferenceState(
        *(np.stack(field) for field in zip(*states, strict=True))
    )


def mean_item(keys: Array, values: Array, mask: NDArray[np.bool_]) -> tuple[Array, bool]:
    """Average [key; value] over the real items; zeros and False if there are none."""
    total, count = np.zeros(keys.shape[1] + values.shape[1]), 0
    for key, value, real in zip(keys, values, mask, strict=True):
        if real:
            total += np.concatenate([key, value])
            count += 1
    return (total / count if count else total), count > 0


def write(
    state: ReferenceState, raw: Iterator[float], present: bool, used_writes: Array
) -> ReferenceState:
    """Write one sequence's step; its state has no batch axis."""
    (N, W), H, R = state.memory.shape, len(state.write_weights), len(state.read_weights)
    keys = [take(raw, W) for _ in range(H)]
    vectors = [take(raw, W) for _ in range(H)]
    erase = [[sigmoid(x) for x in take(raw, W)] for _ in range(H)]
    strengths = [softplus(x) for x in take(raw, H)]
    allocation_gates = [sigmoid(x) for x in take(raw, H)]
    write_gates = [sigmoid(x) if present else 0.0 for x in take(raw, H)]
    free_gates = [sigmoid(x) for x in take(raw, R)]
    assert next(raw, None) is None, "the write interface is longer than its parts"

    usage = np.zeros(N)
    for i in range(N):
        untouched, kept = 1.0, 1.0
        for h in range(H):
            untouched *= 1 - used_writes[h, i]
        for r in range(R):
            kept *= 1 - free_gates[r] * state.read_weights[r, i]
        written = 1 - untouched
        usage[i] = (state.usage[i] + written - state.usage[i] * written) * kept

    weights, simulated = np.zeros((H, N)), usage.copy()
    for h in range(H):
        content, allocated = content_of(state.memory, keys[h], strengths[h]), allocate(simulated)
        for i in range(N):
            gate = allocation_gates[h]
            weights[h, i] = write_gates[h] * (gate * allocated[i] + (1 - gate) * content[i])
            allocation = write_gates[h] * gate * allocated[i]
            simulated[i] += (1 - simulated[i]) * allocation

    memory = np.zeros((N, W))
    for i in range(N):
        for w in range(W):
            word = state.memory[i, w]
            for h in range(H):
                word *= 1 - weights[h, i] * erase[h][w]
            for h in range(H):
                word += weights[h, i] * vectors[h][w]
            memory[i, w] = word

    precedence, link = linked(state, weights)
    return ReferenceState(memory, usage, precedence, link, weights, state.read_weights)


def linked(state: ReferenceState, weights: Array) -> tuple[Array, Array]:
    """Precedence [H, N] and links [H, N, N] after writing with these weights [H, N]."""
    H, N = weights.shape
    precedence, link = np.zeros((H, N)), np.zeros((H, N, N))
    for h in range(H):
        total = math.fsum(weights[h])
        for i in range(N):
            precedence[h, i] = (1 - total) * state.precedence[h, i] + weights[h, i]
            for j in range(N):
                if i != j:
                    faded = (1 - weights[h, i] - weights[h, j]) * state.link[h, i, j]
                    link[h, i, j] = faded + weights[h, i] * state.precedence[h, j]
    return precedence, link


def read(state: ReferenceState, raw: Iterator[float]) -> tuple[Array, ReferenceState]:
    """Read one sequence's step; its state has no batch axis."""
    (N, W), H, R = state.memory.shape, len(state.write_weights), len(state.read_weights)
    keys = [take(raw, W) for _ in range(R)]
    strengths = [softplus(x) for x in take(raw, R)]
    modes = [softmax(take(raw, 1 + 2 * H)) for _ in range(R)]
    assert next(raw, None) is None, "the read interface is longer than its parts"

    weights, words = np.zeros((R, N)), np.zeros((R, W))
    for r in range(R):
        content = content_of(state.memory, keys[r], strengths[r])
        for i in range(N):
            weights[r, i] = modes[r][2 * H] * content[i]
            for h in range(H):
                for j in range(N):
                    last = state.read_weights[r, j]
                    weights[r, i] += modes[r][h] * state.link[h, j, i] * last
                    weights[r, i] += modes[r][H + h] * state.link[h, i, j] * last
        for i in range(N):
            for w in range(W):
                words[r, w] += weights[r, i] * state.memory[i, w]
    return words.ravel(), state._replace(read_weights=weights)


def content_of(memory: Array, key: Sequence[float], strength: float) -> list[float]:
    """Softmax of the strength times the cosine similarity of each slot with the key."""
    key_norm = math.sqrt(math.fsum(k * k for k in key) + EPSILON)
    scores = []
    for slot in memory:
        norm = math.sqrt(math.fsum(float(m) * float(m) for m in slot) + EPSILON)
        product = math.fsum(float(m) * k for m, k in zip(slot, key, strict=True))
        scores.append(strength * product / (norm * key_norm))
    return softmax(scores)


def allocate(usage: Array) -> Array:
    """Walk the free list: each slot gets the weight left over by freer ones."""
    guarded = [EPSILON + (1 - EPSILON) * float(u) for u in usage]
    weights, left = np.zeros(len(guarded)), 1.0
    for i in sorted(range(len(guarded)), key=guarded.__getitem__):
        weights[i] = (1 - guarded[i]) * left
        left *= guarded[i]
    return weights


def take(raw: Iterator[float], count: int) -> list[float]:
    """Return the next numbers of an interface vector."""
    return [next(raw) for _ in range(count)]


def sigmoid(x: float) -> float:
    """Logistic function, without overflow."""
    return 1 / (1 + math.exp(-x)) if x > 0 else math.exp(x) / (1 + math.exp(x))


def softplus(x: float) -> float:
    """log(1 + exp(x)), without overflow."""
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def softmax(scores: Sequence[float]) -> list[float]:
    """Softmax, without overflow."""
    top = max(scores)
    exponentials = [math.exp(score - top) for score in scores]
    return [exponential / math.fsum(exponentials) for exponential in exponentials]
