"""Gated delta rule against its equations, for single items and for sets as block steps."""

import numpy as np
import pytest
import torch
from torch import Tensor

from memory_cores import GatedDelta, MemorySizes
from tests.memory_cores.associative_map_reference import (
    PLACES,
    VALUE,
    Array,
    StepInputs,
    assert_equals,
    built,
)
from tests.memory_cores.random_use import empty, random_step


def start(head: int) -> Array:
    return np.zeros((PLACES, VALUE))


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def read(memory: Array, q: Array) -> Array:
    r = memory.T @ q
    return r / max(1.0, np.sqrt((r**2).mean()) / 4)


@pytest.mark.parametrize("erase", [True, False])
def test_one_item_at_a_time(erase: bool) -> None:
    def write(memory: Array, now: StepInputs) -> Array:
        if not len(now.keys):
            return now.kept * memory
        (k,), (v,), beta = now.keys, now.values, sigmoid(now.gates[0])
        erased = np.eye(PLACES) - beta * erase * np.outer(k, k)
        return now.kept * erased @ memory + beta * np.outer(k, v)

    assert_equals(built(GatedDelta, erase=erase), start, write, read, lambda t: t % 2)


@pytest.mark.parametrize("number", [2, 5, 20])
def test_a_set_is_one_block_step(number: int) -> None:
    """With fewer or more items than places; the reference solves N equations, the core D."""

    def write(memory: Array, now: StepInputs) -> Array:
        old, noise = now.kept * memory, np.diag(1 / sigmoid(now.gates) - 1)
        gram = now.keys @ now.keys.T + noise
        return old + now.keys.T @ np.linalg.solve(gram, now.values - now.keys @ old)

    # Raw gates stay below 8, the core's maximum.
    assert_equals(built(GatedDelta, scale=0.5), start, write, read, lambda t: number)


def test_linear_attention_sums_a_set() -> None:
    def write(memory: Array, now: StepInputs) -> Array:
        return now.kept * memory + (sigmoid(now.gates)[:, None] * now.keys).T @ now.values

    assert_equals(built(GatedDelta, erase=False), start, write, read, lambda t: t % 5)


def test_wide_and_narrow_values_are_written_alike() -> None:
    """The system has as many right-hand sides as items, or as values."""
    torch.manual_seed(1)
    sizes = [MemorySizes(control=3, key=2, value=values, steps=4) for values in (2, 40)]
    narrow, wide = (GatedDelta(each).double() for each in sizes)
    for part in ("key_codes", "decay"):
        getattr(wide, part).load_state_dict(getattr(narrow, part).state_dict())
    control, items = random_step(sizes[1], 2, 7)
    expected = wide.write(empty(wide, 2), control, items).maps
    items = items._replace(values=items.values[..., :2])
    torch.testing.assert_close(
        narrow.write(empty(narrow, 2), control, items).maps, expected[..., :2]
    )


@pytest.mark.parametrize("size", [0.0, 1.0, 3.9, 4.1, 1e6])
def test_a_large_read_is_scaled_down(size: float) -> None:
    """All rows of the maps are one vector r: a code q reads sum(q) r."""
    core = built(GatedDelta)
    r = size * torch.tensor([1.0, -1.0, 1.0, -1.0]).double()
    state = empty(core, 2)
    maps: Tensor = r.expand_as(state.maps).clone().requires_grad_()
    queries = torch.full((2, core.heads, 1, PLACES), 1 / PLACES).double()
    found = core.answer(core.maps(state._replace(maps=maps)), queries)
    expected = r * min(1.0, 4 / size if size else 1.0)
    torch.testing.assert_close(found, expected.expand_as(found))
    found.sum().backward()
    assert maps.grad is not None and maps.grad.isfinite().all()
