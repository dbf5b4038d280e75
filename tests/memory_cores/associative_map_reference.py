"""Inputs of the maps of associative cores, in NumPy, and the comparison with a reference."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from memory_cores import Items, MemorySizes
from memory_cores.parts.associative_map import AssociativeMap
from memory_cores.parts.soft_codes import SoftCodes
from tests.memory_cores.random_use import empty, random_step, randomised

Array = NDArray[np.float64]
STEPS, BATCH, HEADS, QUERIES = 50, 2, 3, 2
PLACES, VALUE = 6, 4
SIZES = MemorySizes(control=5, key=3, value=VALUE, steps=PLACES)


class StepInputs(NamedTuple):
    """A step of one sequence and one map: N real items, Q queries, codes of D places."""

    kept: float  # decay factor of the map
    keys: Array  # [N, D], codes
    values: Array  # [N, V]
    gates: Array  # [N], raw
    queries: Array  # [Q, D], codes


def built(kind: type[AssociativeMap], scale: float = 1.0, **settings: Any) -> Any:
    torch.manual_seed(0)
    return randomised(kind(SIZES, heads=HEADS, queries=QUERIES, **settings), scale)


def linear(layer: nn.Linear, x: Array) -> Array:
    return x @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()


def coded(codes: SoftCodes, x: Array) -> tuple[Array, Array]:
    """Return square roots of shares [N, heads, D], and gates [N, G]."""
    scores = linear(codes.scores, x)
    width = codes.heads * codes.places
    shares = np.exp(scores[:, :width].reshape(len(x), codes.heads, codes.places))
    return np.sqrt(shares / shares.sum(2, keepdims=True)), scores[:, width:]


def inputs_of(
    core: AssociativeMap, control: torch.Tensor, items: Items, b: int, h: int
) -> StepInputs:
    keys, values, real = (part[b].numpy() for part in items)
    (codes, gates), row = coded(core.key_codes, keys[real]), control[b : b + 1].numpy()
    queries, _ = coded(core.read_codes, row)
    raw = linear(core.decay, row)[0, h]
    heads = slice(h * QUERIES, (h + 1) * QUERIES)
    return StepInputs(
        1 / (1 + np.exp(-raw)), codes[:, h], values[real], gates[:, h], queries[0, heads]
    )


def assert_equals(
    core: AssociativeMap,
    start: Callable[[int], Any],
    write: Callable[[Any, StepInputs], Any],
    read: Callable[[Any, Array], Array],
    items: Callable[[int], int],
    tolerance: float = 1e-9,
) -> None:
    """Compare the reads of every step with a reference of single maps.

    Args:
        start: returns the reference's initial memory, given the head.
        write: returns its memory after a step.
        read: returns its read for a code [D].
        items: number of items in a step, padding included.
        tolerance: largest difference.
    """
    state, pairs = empty(core, BATCH), [(b, h) for b in range(BATCH) for h in range(HEADS)]
    memories = {(b, h): start(h) for b, h in pairs}
    for t in range(STEPS):
        control, step = random_step(SIZES, BATCH, items(t))
        with torch.no_grad():
            reads, state, _ = core.write_and_read(state, control, step)
        found = reads.numpy().reshape(BATCH, HEADS, QUERIES, -1)
        for b, h in pairs:
            now = inputs_of(core, control, step, b, h)
            memories[b, h] = write(memories[b, h], now)
            expected = [read(memories[b, h], q) for q in now.queries]
            np.testing.assert_allclose(
                found[b, h], expected, rtol=0, atol=tolerance, err_msg=f"{t}"
            )
