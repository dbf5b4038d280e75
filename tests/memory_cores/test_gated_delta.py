"""Gated delta rule against its equations, one item after the other, and sets as block steps."""

import numpy as np
import pytest
import torch
from torch import Tensor

from memory_cores import GatedDelta, MemorySizes
from tests.memory_cores.associative_map_reference import (
    PLACES,
    SIZES,
    VALUE,
    Array,
    Given,
    assert_equals,
    built,
)
from tests.memory_cores.random_use import empty, random_step


def start(head: int) -> Array:
    return np.zeros((PLACES, VALUE))


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def read(held: Array, q: Array) -> Array:
    found = held.T @ q
    return found / max(1.0, np.sqrt((found**2).mean()) / 4)


@pytest.mark.parametrize("erase", [True, False])
def test_one_item_at_a_time(erase: bool) -> None:
    def write(held: Array, now: Given) -> Array:
        if not len(now.keys):
            return now.kept * held
        (k,), (v,), beta = now.keys, now.values, sigmoid(now.gates[0])
        erased = np.eye(PLACES) - beta * erase * np.outer(k, k)
        return now.kept * erased @ held + beta * np.outer(k, v)

    assert_equals(built(GatedDelta, erase=erase), start, write, read, lambda t: t % 2)


@pytest.mark.parametrize("number", [2, 5, 20])
def test_a_set_is_one_block_step(number: int) -> None:
    """As many items as places, fewer and more: N equations instead of the core's D."""

    def write(held: Array, now: Given) -> Array:
        old, noise = now.kept * held, np.diag(1 / sigmoid(now.gates) - 1)
        gram = now.keys @ now.keys.T + noise
        return old + now.keys.T @ np.linalg.solve(gram, now.values - now.keys @ old)

    # Gates stay below 8, where the core's end.
    assert_equals(built(GatedDelta, scale=0.5), start, write, read, lambda t: number)


def test_a_set_of_a_linear_attention_is_summed() -> None:
    def write(held: Array, now: Given) -> Array:
        return now.kept * held + (sigmoid(now.gates)[:, None] * now.keys).T @ now.values

    assert_equals(built(GatedDelta, erase=False), start, write, read, lambda t: t % 5)


def test_fewer_values_than_items_or_more_are_learned_alike() -> None:
    """The equations are solved for as many rows as items, or as values."""
    torch.manual_seed(1)
    sizes = [MemorySizes(control=3, key=2, value=values, steps=4) for values in (2, 40)]
    narrow, wide = (GatedDelta(each).double() for each in sizes)
    for part in ("key_codes", "decay"):
        getattr(wide, part).load_state_dict(getattr(narrow, part).state_dict())
    control, items = random_step(sizes[1], 2, 7)
    learned = wide.write(empty(wide, 2), control, items).maps
    items = items._replace(values=items.values[..., :2])
    torch.testing.assert_close(
        narrow.write(empty(narrow, 2), control, items).maps, learned[..., :2]
    )


@pytest.mark.parametrize("size", [0.0, 1.0, 3.9, 4.1, 1e6])
def test_a_large_read_is_scaled_down(size: float) -> None:
    """All rows of the maps are one vector r: a code q finds it sum(q) times."""
    core = built(GatedDelta)
    r = size * torch.tensor([1.0, -1.0, 1.0, -1.0]).double()
    state = empty(core, 2)
    maps: Tensor = r.expand_as(state.maps).clone().requires_grad_()
    queries = torch.full((2, core.heads, 1, PLACES), 1 / PLACES).double()
    found = core.answer(core.held(state._replace(maps=maps)), queries)
    expected = r * min(1.0, 4 / size if size else 1.0)
    torch.testing.assert_close(found, expected.expand_as(found))
    found.sum().backward()
    assert maps.grad is not None and maps.grad.isfinite().all()


def test_the_sizes_are_those_of_the_reference() -> None:
    assert (built(GatedDelta).slots, SIZES.value) == (PLACES, VALUE)
