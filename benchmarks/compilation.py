"""Compiles unrolls as the models do."""

import time
from copy import copy

import torch

from contestants import Contestant
from lightning_modules.speed.compiled_steps import CompiledSteps
from lightning_modules.speed.cuda_graphs import CapturedGraphs
from recurrence import Recurrence

#: All cores share the code of a step, and each needs its own graphs.
GRAPHS = 256


def compiled(recurrence: Recurrence) -> Recurrence:
    """Return a compiled recurrence with the same parameters."""
    torch._dynamo.config.recompile_limit = GRAPHS
    twin = copy(recurrence)
    twin.compiled_steps = CompiledSteps(Recurrence.steps)
    twin.cuda_graphs = CapturedGraphs(twin, twin.unroll)
    return twin


def compiled_contestant(contestant: Contestant) -> tuple[Contestant, float]:
    """Return the contestant with a compiled unroll, and the seconds that compiling took."""
    assert isinstance(contestant.module, Recurrence)
    fast = contestant._replace(module=compiled(contestant.module))
    start = time.perf_counter()
    fast.step()
    fast.step()
    return fast, time.perf_counter() - start
