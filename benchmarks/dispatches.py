"""Counts the operators that PyTorch dispatches; on small tensors each costs about the same."""

from typing import Any, NamedTuple

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from contestants import Contestant


class DispatchCounter(TorchDispatchMode):
    """Counts every operator that reaches a backend, including views."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Count the operator and call it."""
        self.count += 1
        return func(*args, **kwargs or {})


class Dispatches(NamedTuple):
    """Number of operators of one training step."""

    forward: int
    backward: int


def count_dispatches(contestant: Contestant) -> Dispatches:
    """Count the operators of a step's forward and backward pass."""
    contestant.module.zero_grad(set_to_none=True)
    with DispatchCounter() as forward:
        loss = contestant.loss()
    with DispatchCounter() as backward:
        loss.backward()
    return Dispatches(forward.count, backward.count)


def count_kernels(contestant: Contestant) -> int:
    """Count the kernels that a step launches on a CUDA device, including copies and fills."""
    activities = [torch.profiler.ProfilerActivity.CPU, torch.profiler.ProfilerActivity.CUDA]
    with torch.profiler.profile(activities=activities) as profiler:
        contestant.step()
        torch.cuda.synchronize()
    kernels = torch.autograd.DeviceType.CUDA
    return sum(event.device_type == kernels for event in profiler.events())
