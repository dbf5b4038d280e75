"""One step of the hybrid core in plain float64 loops, from the equations of its docstring.

Each sequence's memory is a list of items, the oldest first, each with its last weight of every
head. Independent of the implementation: nothing is shifted, and the successor of an item is the
next in the list.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tests.memory_cores.rmr_reference import softmax

Array = NDArray[np.float64]


class Item(NamedTuple):
    """A stored item."""

    key: Array  #: projected
    value: Array
    last: list[float]  #: weight of each head in the last read


class Parameters(NamedTuple):
    """Linear maps of a control or an item, with biases."""

    heads: int
    keys: Array  #: projection of keys
    interface: tuple[Array, Array]  #: queries of all heads, then raw positions, then raw modes
    rewriting: tuple[Array, Array] | None  #: a query, a correction and a raw gate


def fits(query: Array, item: Item) -> float:
    """Score of an item for a query [E + Dv]."""
    E, Dv = len(item.key), len(item.value)
    by_key = sum(float(q) * float(k) for q, k in zip(query[:E], item.key, strict=True))
    by_value = sum(float(q) * float(v) for q, v in zip(query[E:], item.value, strict=True))
    return by_key / math.sqrt(E) + by_value / math.sqrt(Dv)


def write(memory: list[Item], slots: int, items: tuple[Array, ...], p: Parameters) -> list[Item]:
    """Rewrite values similar to the mean of the real items, if any, then append it."""
    keys, values, mask = items
    real = [i for i in range(len(mask)) if mask[i]]
    if not real:
        return memory
    key = sum(keys[i] for i in real) / len(real)
    value = sum(values[i] for i in real) / len(real)
    projected = p.keys @ key
    if p.rewriting is not None and memory:
        weight, bias = p.rewriting
        raw = weight @ np.concatenate([key, value]) + bias
        query, correction, gate = np.split(raw, [len(raw) - 1 - len(value), len(raw) - 1])
        share = 1 / (1 + math.exp(-float(gate[0])))
        similarity = softmax([fits(query, item) for item in memory])
        memory = [
            item._replace(value=item.value + share * u * (correction - item.value))
            for item, u in zip(memory, similarity, strict=True)
        ]
    return [*memory, Item(projected, value, [0.0] * p.heads)][-slots:]


def read(
    memory: list[Item], slots: int, control: Array, value_size: int, p: Parameters
) -> tuple[Array, list[Item]]:
    """Read with all heads, [R * Dv]; the memory stores their weights."""
    weight, bias = p.interface
    raw = weight @ control + bias
    R = p.heads
    item = (len(raw) - R * slots - 3 * R) // R
    queries, positions, modes = np.split(raw, [R * item, R * item + R * slots])
    if not memory:
        return np.zeros(R * value_size), memory
    count, by_head, words = len(memory), [], []
    for r in range(R):
        content = softmax([fits(queries[r * item : (r + 1) * item], i) for i in memory])
        ages = [count - 1 - i for i in range(count)]
        position = softmax([float(positions[r * slots + age]) for age in ages])
        onward = [0.0] + [memory[i].last[r] for i in range(count - 1)]
        mode = softmax([float(x) for x in modes[3 * r : 3 * r + 3]])
        ways = zip(content, position, onward, strict=True)
        by_head.append([sum(m * w for m, w in zip(mode, way, strict=True)) for way in ways])
        words.append(sum(w * i.value for w, i in zip(by_head[-1], memory, strict=True)))
    last = [list(weights) for weights in zip(*by_head, strict=True)]
    kept = [i._replace(last=weights) for i, weights in zip(memory, last, strict=True)]
    return np.concatenate(words), kept
