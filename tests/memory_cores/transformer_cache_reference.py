"""One step of a transformer cache in plain float64 loops, read by heads or by query.

A sequence's cache is a list of items from the oldest to the newest, each with the step in which it
was written. Positions count from the first step, as in the papers; the implementation counts back
from the present one.
"""

import cmath
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tests.memory_cores.context_window_reference import scramble
from tests.memory_cores.rmr_reference import mlp, softmax

Array = NDArray[np.float64]


class Item(NamedTuple):
    """An item and its step."""

    step: int
    key: Array
    value: Array


def push(cache: list[Item], step: int, items: tuple[Array, Array, Array], slots: int) -> list[Item]:
    """Append the real items of a step, of keys [I, Dk], values [I, Dv] and a mask [I]."""
    new = [(key, value) for key, value, real in zip(*items, strict=True) if real]
    return (cache + [Item(step, *item) for item in sorted(new, key=scramble)])[-slots:]


def turn(code: Array, step: int, length: int) -> Array:
    """Turn the pairs in the first half of a code by the angles of a step (Su et al., eq. 15)."""
    pairs, turned = len(code) // 4, code.copy()
    slowest = max(3.2 * length, 14.4)
    for j in range(pairs):
        period = 7.2 * (slowest / 7.2) ** (j / max(pairs - 1, 1))
        pair = complex(code[j], code[pairs + j]) * cmath.exp(2j * math.pi * step / period)
        turned[j], turned[pairs + j] = pair.real, pair.imag
    return turned


def score(
    kind: str, query: Array, key: Array, steps: tuple[int, int], head: tuple[int, int], length: int
) -> float:
    """Return the score of a query and a key of two steps, for the h-th of H heads."""
    t, s = steps
    if kind == "rotary":
        product = turn(query, t, length) @ turn(key, s, length)
        return float(product) / math.sqrt(len(query))
    h, H = head
    slope = 2 ** (-8 * (h + 1) / H)
    return float(query @ key) / math.sqrt(len(query)) - slope * (t - s)


def weights(scores: Sequence[float], top_k: int | None) -> list[float]:
    """Softmax over the highest scores."""
    lowest = sorted(scores)[-min(top_k or len(scores), len(scores))]
    kept = softmax([x for x in scores if x >= lowest])
    return [kept.pop(0) if x >= lowest else 0.0 for x in scores]


def read(
    cache: list[Item], t: int, control: Array, parameters: dict[str, Any]
) -> tuple[Array, list[list[float]]]:
    """Return all heads' reads, [R * Dv], and weights from the oldest item to the newest."""
    if not cache:
        return np.zeros(parameters["heads"] * parameters["value_size"]), []
    R, words, by_head = parameters["heads"], [], []
    for r in range(R):
        query = parameters["queries"][r] @ control + parameters["bias"][r]
        scores = []
        for item in cache:
            key = parameters["keys"][r] @ item.key
            if parameters["marks"] is not None:
                marks = parameters["marks"][r]
                key = key + np.pad(marks, (0, len(key) - len(marks)))
            parts = query, key, (t, item.step), (r, R), parameters["length"]
            scores.append(score(parameters["kind"], *parts))
        by_head.append(weights(scores, parameters["top_k"]))
        pairs = zip(by_head[-1], cache, strict=True)
        words.append(sum(share * item.value for share, item in pairs))
    return np.concatenate(words), by_head


def look_up(items: list[Item], t: int, query: Array, parameters: dict[str, Any]) -> Array:
    """Attend to items with one query: [Dv]."""
    attention = parameters["attention"]
    value = np.zeros(attention["value_size"])
    if not items:
        return value
    code = mlp(query, attention["mlp"])
    H = len(attention["queries"])
    for h in range(H):
        scores = [
            score(
                parameters["kind"],
                attention["queries"][h] @ code,
                attention["keys"][h] @ mlp(item.key, attention["mlp"]),
                (t, item.step),
                (h, H),
                parameters["length"],
            )
            for item in items
        ]
        for share, item in zip(weights(scores, parameters["top_k"]), items, strict=True):
            value += share * attention["output"][h] @ (attention["values"][h] @ item.value)
    return value
