"""mLSTM, which is stabilised, against its plain equations."""

import numpy as np
import torch

from memory_cores import MLSTM
from memory_cores.parts.associative_map import Coded
from tests.memory_cores.associative_map_reference import (
    PLACES,
    VALUE,
    Array,
    Given,
    assert_equals,
    built,
)
from tests.memory_cores.random_use import empty

Held = tuple[Array, Array]


def test_it_reads_what_the_plain_one_does() -> None:
    def start(head: int) -> Held:
        return np.zeros((VALUE, PLACES)), np.zeros(PLACES)

    def write(held: Held, now: Given) -> Held:
        maps, norms = (now.kept * part for part in held)
        for k, v, gate in zip(now.keys, now.values, now.gates, strict=True):
            maps, norms = maps + np.exp(gate) * np.outer(v, k), norms + np.exp(gate) * k
        return maps, norms

    def read(held: Held, q: Array) -> Array:
        return held[0] @ q / max(abs(held[1] @ q), 1)

    assert_equals(built(MLSTM), start, write, read, lambda t: t % 5)


def test_an_input_gate_of_any_size_is_no_overflow() -> None:
    """Not even where a query finds nothing: it reads 0, with finite gradients."""
    core = built(MLSTM).float()
    state = core.initial_state(2, torch.zeros(1))
    keys = torch.eye(PLACES)[:1].expand(2, core.heads, 1, PLACES).clone().requires_grad_()
    values = torch.randn(2, 1, 1, VALUE)
    gates = torch.full((2, core.heads, 1), 500.0)
    state = core.follow(state, gates[..., 0], Coded(keys, values, gates, torch.ones(2, 1, 1)))
    read = core.answer(core.held(state), keys)
    torch.testing.assert_close(read, values.expand_as(read))
    nothing = core.answer(core.held(state), keys.flip(3))
    assert not nothing.any()
    (read + nothing).sum().backward()
    assert keys.grad is not None and keys.grad.isfinite().all()


def test_nothing_is_held_at_first() -> None:
    core = built(MLSTM)
    assert not any(part.any() for part in core.held(empty(core)))
