"""The stabilised mLSTM against its plain equations."""

import numpy as np
import torch

from memory_cores import MLSTM
from memory_cores.parts.associative_map import Coded
from tests.memory_cores.associative_map_reference import (
    PLACES,
    VALUE,
    Array,
    StepInputs,
    assert_equals,
    built,
)
from tests.memory_cores.random_use import empty

Memory = tuple[Array, Array]


def test_it_equals_the_plain_equations() -> None:
    def start(head: int) -> Memory:
        return np.zeros((VALUE, PLACES)), np.zeros(PLACES)

    def write(memory: Memory, now: StepInputs) -> Memory:
        maps, norms = (now.kept * part for part in memory)
        for k, v, gate in zip(now.keys, now.values, now.gates, strict=True):
            maps, norms = maps + np.exp(gate) * np.outer(v, k), norms + np.exp(gate) * k
        return maps, norms

    def read(memory: Memory, q: Array) -> Array:
        return memory[0] @ q / max(abs(memory[1] @ q), 1)

    assert_equals(built(MLSTM), start, write, read, lambda t: t % 5)


def test_large_input_gates_do_not_overflow() -> None:
    """A query orthogonal to all keys reads 0, with finite gradients."""
    core = built(MLSTM).float()
    state = core.initial_state(2, torch.zeros(1))
    keys = torch.eye(PLACES)[:1].expand(2, core.heads, 1, PLACES).clone().requires_grad_()
    values = torch.randn(2, 1, 1, VALUE)
    gates = torch.full((2, core.heads, 1), 500.0)
    state = core.follow(state, gates[..., 0], Coded(keys, values, gates, torch.ones(2, 1, 1)))
    read = core.answer(core.maps(state), keys)
    torch.testing.assert_close(read, values.expand_as(read))
    orthogonal = core.answer(core.maps(state), keys.flip(3))
    assert not orthogonal.any()
    (read + orthogonal).sum().backward()
    assert keys.grad is not None and keys.grad.isfinite().all()


def test_maps_start_at_zero() -> None:
    core = built(MLSTM)
    assert not any(part.any() for part in core.maps(empty(core)))
