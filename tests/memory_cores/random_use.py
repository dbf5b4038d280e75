"""Random parameters, controls and items, as the tests of several cores use them."""

from typing import TypeVar

import torch
from torch import Tensor

from memory_cores import Items, MemoryCore, MemorySizes

Core = TypeVar("Core", bound=MemoryCore)


def randomised(core: Core, scale: float) -> Core:
    """The core in float64 with normal parameters of a spread, whatever its start is."""
    core = core.double()
    for parameter in core.parameters():
        torch.nn.init.normal_(parameter, std=scale)
    return core


def random_step(sizes: MemorySizes, batch: int, items: int) -> tuple[Tensor, Items]:
    """A control and a set of which some items are padding, all of them for some sequences."""
    control = torch.randn(batch, sizes.control, dtype=torch.float64)
    keys = torch.randn(batch, items, sizes.key, dtype=torch.float64)
    values = torch.randn(batch, items, sizes.value, dtype=torch.float64)
    return control, Items(keys, values, torch.rand(batch, items) < 0.6)


def empty(core: MemoryCore, batch: int = 1):
    """The state before the first step, in float64."""
    return core.initial_state(batch, torch.zeros(1, dtype=torch.float64))


def unroll(core: MemoryCore, steps: int, batch: int = 1) -> list:
    """The states of a random unroll with one item a step."""
    state, states = empty(core, batch), []
    for _ in range(steps):
        control, items = random_step(core.sizes, batch, items=1)
        state = core.write(state, control, items._replace(mask=torch.ones_like(items.mask)))
        _, state = core.read(state, control)
        states.append(state)
    return states
