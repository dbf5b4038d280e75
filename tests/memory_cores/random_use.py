"""Random parameters, controls and items, shared by the tests of cores."""

from typing import TypeVar

import torch
from torch import Tensor

from memory_cores import Items, MemoryCore, MemorySizes

Core = TypeVar("Core", bound=MemoryCore)


def randomised(core: Core, scale: float) -> Core:
    """Convert a core to float64, with normal parameters of deviation ``scale``."""
    core = core.double()
    for parameter in core.parameters():
        torch.nn.init.normal_(parameter, std=scale)
    return core


def random_step(sizes: MemorySizes, batch: int, items: int) -> tuple[Tensor, Items]:
    """Draw a control and a set with padding; some sequences have no real items."""
    control = torch.randn(batch, sizes.control, dtype=torch.float64)
    keys = torch.randn(batch, items, sizes.key, dtype=torch.float64)
    values = torch.randn(batch, items, sizes.value, dtype=torch.float64)
    return control, Items(keys, values, torch.rand(batch, items) < 0.6)


def empty(core: MemoryCore, batch: int = 1):
    """Return the initial state in float64."""
    return core.initial_state(batch, torch.zeros(1, dtype=torch.float64))


def unroll(core: MemoryCore, steps: int, batch: int = 1) -> list:
    """Return the states of a random unroll with one item per step."""
    state, states = empty(core, batch), []
    for _ in range(steps):
        control, items = random_step(core.sizes, batch, items=1)
        state = core.write(state, control, items._replace(mask=torch.ones_like(items.mask)))
        _, state = core.read(state, control)
        states.append(state)
    return states
