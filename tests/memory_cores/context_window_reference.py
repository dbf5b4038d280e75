"""One step of a context window in plain float64 loops, read by heads or by query.

Each sequence's window is a list of (key, value) pairs from the oldest to the newest, cut at its
front. Independent of the implementation: no ring, no batch, no masks in the softmax.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Window = list[tuple[Array, Array]]


def step(
    windows: list[Window],
    slots: int,
    control: Array,
    items: tuple[Array, Array, NDArray[np.bool_]],
    weight: Array,
    bias: Array,
) -> tuple[Array, list[list[list[float]]], list[Window]]:
    """Write, then read.

    Args:
        windows: window of each sequence.
        slots: length of a window.
        control: [B, control].
        items: keys [B, I, Dk], values [B, I, Dv], mask [B, I].
        weight: [R * Dk, control], bias: [R * Dk], from the control to the heads' queries.

    Returns:
        reads: [B, R * Dv]; the weights of each sequence and head from the oldest item to the
        newest; the windows.
    """
    reads, weights, after = [], [], []
    for b in range(len(control)):
        keys, values, mask = (part[b] for part in items)
        new = [(keys[i], values[i]) for i in range(len(mask)) if mask[i]]
        window = (windows[b] + sorted(new, key=scramble))[-slots:]
        size, width = keys.shape[1], values.shape[1]
        words, by_head = [], []
        for r in range(len(bias) // size):
            query = [
                bias[i] + sum(weight[i, j] * control[b, j] for j in range(len(control[b])))
                for i in range(r * size, (r + 1) * size)
            ]
            by_head.append(attend(query, window))
            for v in range(width):
                pairs = zip(by_head[-1], window, strict=True)
                words.append(sum(share * value[v] for share, (_, value) in pairs))
        reads.append(words)
        weights.append(by_head)
        after.append(window)
    return np.array(reads, dtype=np.float64), weights, after


def seen(steps: list[Window], slots: int | None) -> Window:
    """Return the points visible to a look-up, given the points of each step of one sequence.

    These are all points of the last step, and the most recent earlier ones, or all of them.
    """
    *before, current = steps
    earlier = [point for points in before for point in sorted(points, key=scramble)]
    return current + (earlier if slots is None else earlier[max(0, len(earlier) - slots) :])


def attend(query: Sequence[float], window: Window) -> list[float]:
    """Softmax of scaled dot products; no weights at all for an empty window."""
    scores = [
        sum(q * float(k) for q, k in zip(query, key, strict=True)) / math.sqrt(len(query))
        for key, _ in window
    ]
    exponentials = [math.exp(score - max(scores)) for score in scores]
    return [exponential / math.fsum(exponentials) for exponential in exponentials]


def scramble(item: tuple[Array, Array]) -> float:
    """Return the sort key of an item within its set."""
    content = [*item[0], *item[1]]
    return math.sin(100 * sum(math.sqrt(i + 1) * float(x) for i, x in enumerate(content)))
