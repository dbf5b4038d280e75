"""Measures the peak memory that a step allocates.

This includes tensors saved for the backward pass, temporary results and gradients, but not the
parameters. On the CPU, PyTorch's profiler records every allocation and release of PyTorch's own
allocator (not the scratch space of libraries inside operators); on CUDA, the caching allocator
tracks the maximum.
"""

from collections.abc import Iterable

import torch
from torch.profiler import ProfilerActivity, profile

from timing import Step

MEBIBYTE = 2**20


def peak_of(changes: Iterable[int]) -> int:
    """Return the highest running sum, at least 0."""
    allocated = highest = 0
    for change in changes:
        allocated += change
        highest = max(highest, allocated)
    return highest


def peak_on_cpu(step: Step) -> int:
    """Measure the peak from the profiler's record, in bytes."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        step()
    recorded = profiler.profiler
    assert recorded is not None and recorded.kineto_results is not None
    events = [event for event in recorded.kineto_results.events() if event.name() == "[memory]"]
    return peak_of(event.nbytes() for event in sorted(events, key=lambda event: event.start_ns()))


def peak_on_cuda(step: Step) -> int:
    """Measure the peak from the caching allocator, in bytes."""
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    step()
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() - before


def peak_mebibytes(step: Step, device: torch.device) -> float:
    """Measure the peak of a step that leaves no allocations behind, in MiB."""
    return (peak_on_cuda if device.type == "cuda" else peak_on_cpu)(step) / MEBIBYTE
