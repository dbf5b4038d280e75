"""Comparable times: contestants are interleaved, so that noise affects all of them equally."""

import gc
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from statistics import median
from typing import NamedTuple

import torch

Step = Callable[[], object]
#: Runs a step and returns its duration in ms.
Timer = Callable[[Step], float]


class Times(NamedTuple):
    """Times of one contestant over all rounds, in ms."""

    median: float
    least: float

    @classmethod
    def of(cls, milliseconds: Sequence[float]) -> "Times":
        """Summarise measurements."""
        return cls(median(milliseconds), min(milliseconds))


def host_timer(clock: Callable[[], float] = time.perf_counter) -> Timer:
    """Return a timer based on a clock in seconds."""

    def timed(step: Step) -> float:
        start = clock()
        step()
        return 1000 * (clock() - start)

    return timed


def cuda_timer() -> Timer:
    """Return a timer based on device events, from an idle device to the end of the last kernel."""
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))

    def timed(step: Step) -> float:
        torch.cuda.synchronize()
        start.record()
        step()
        end.record()
        torch.cuda.synchronize()
        return start.elapsed_time(end)

    return timed


def timer_of(device: torch.device) -> Timer:
    """Return the timer for steps on a device."""
    return cuda_timer() if device.type == "cuda" else host_timer()


def interleaved(
    steps: Mapping[str, Step], rounds: int, timer: Timer, warm_up: int = 2
) -> dict[str, Times]:
    """Time each contestant once per round, in reverse order every other round.

    Args:
        steps: each contestant's step.
        rounds: number of measured rounds.
        timer: times one step.
        warm_up: number of unmeasured rounds before them.
    """
    milliseconds: dict[str, list[float]] = {name: [] for name in steps}
    names = list(steps)
    with without_garbage_collection() as collect:
        for turn in range(-warm_up, rounds):
            collect()
            for name in names if turn % 2 == 0 else reversed(names):
                spent = timer(steps[name])
                if turn >= 0:
                    milliseconds[name].append(spent)
    return {name: Times.of(spent) for name, spent in milliseconds.items()}


@contextmanager
def without_garbage_collection() -> Iterator[Callable[[], object]]:
    """Disable garbage collection; yield a function that collects between steps."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield gc.collect
    finally:
        if enabled:
            gc.enable()
