"""What cores with maps are given, in NumPy from their parameters, and how they are compared."""

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


class Given(NamedTuple):
    """A step of one sequence and one map: N real items, Q queries, codes of D places."""

    kept: float  # share of the map that is left
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
    """Roots of shares [N, heads, D], and gates [N, G]."""
    scores = linear(codes.scores, x)
    width = codes.heads * codes.places
    shares = np.exp(scores[:, :width].reshape(len(x), codes.heads, codes.places))
    return np.sqrt(shares / shares.sum(2, keepdims=True)), scores[:, width:]


def given(core: AssociativeMap, control: torch.Tensor, items: Items, b: int, h: int) -> Given:
    keys, values, real = (part[b].numpy() for part in items)
    (codes, gates), asking = coded(core.key_codes, keys[real]), control[b : b + 1].numpy()
    asked, _ = coded(core.read_codes, asking)
    raw = linear(core.decay, asking)[0, h]
    mine = slice(h * QUERIES, (h + 1) * QUERIES)
    return Given(1 / (1 + np.exp(-raw)), codes[:, h], values[real], gates[:, h], asked[0, mine])


def assert_equals(
    core: AssociativeMap,
    start: Callable[[int], Any],
    write: Callable[[Any, Given], Any],
    read: Callable[[Any, Array], Array],
    items: Callable[[int], int],
) -> None:
    """Reads of every step against a reference that has one map at a time.

    Args:
        start: returns what the reference holds at first, by head.
        write: returns what it holds after a step.
        read: returns what it finds for a code [D].
        items: number of items of a step, of which some are padding.
    """
    state, pairs = empty(core, BATCH), [(b, h) for b in range(BATCH) for h in range(HEADS)]
    held = {(b, h): start(h) for b, h in pairs}
    for t in range(STEPS):
        control, step = random_step(SIZES, BATCH, items(t))
        with torch.no_grad():
            reads, state, _ = core.write_and_read(state, control, step)
        found = reads.numpy().reshape(BATCH, HEADS, QUERIES, -1)
        for b, h in pairs:
            now = given(core, control, step, b, h)
            held[b, h] = write(held[b, h], now)
            expected = [read(held[b, h], q) for q in now.queries]
            np.testing.assert_allclose(found[b, h], expected, rtol=0, atol=1e-9, err_msg=f"{t}")
