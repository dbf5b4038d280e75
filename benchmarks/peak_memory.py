"""The most memory that a step holds at once, beside what was there before it.

That is what it saves for the backward pass, temporary results and gradients; the parameters were
there before. On the CPU PyTorch's profiler tells every allocation and release of PyTorch's own
allocator (not the scratch space of a library inside an operator); on CUDA the caching allocator
keeps the maximum.
"""

from collections.abc import Iterable

import torch
from torch.profiler import ProfilerActivity, profile

from timing import Step

MEBIBYTE = 2**20


def peak_of(changes: Iterable[int]) -> int:
    """Return the highest running sum, at least 0."""
    held = highest = 0
    for change in changes:
        held += change
        highest = max(highest, held)
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
    """Measure the peak of a step that leaves nothing behind, in MiB."""
    return (peak_on_cuda if device.type == "cuda" else peak_on_cpu)(step) / MEBIBYTE
