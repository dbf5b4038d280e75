"""Recurrences as CUDA graphs: thousands of small kernels in one launch.

A recurrence of T steps waits for Python between kernels that take microseconds each. Since training
batches have one of a few shapes, the same kernels run in every training step.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.utils._pytree import tree_leaves, tree_map


class CapturedGraphs:
    """Function of tensors that is captured at its first use in training, and replayed from then on.

    Calls that are not on CUDA or need no gradients run as usual. The next replay overwrites what a
    replay returned, whose gradients cannot be differentiated again.

    It is not a module itself, since the module that it belongs to is already part of the model.

    Args:
        module: the module whose parameters the function uses.
        function: from tensors or tuples of tensors to the same; it must not wait for the device.
    """

    def __init__(self, module: nn.Module, function: Callable[..., Any]) -> None:
        self._module, self._function = module, function
        self._graphs: dict[Any, Callable[..., Any]] = {}

    def __call__(self, *inputs: Any) -> Any:
        """Return what the function returns."""
        tensors = tree_leaves(inputs)
        if not (tensors[0].is_cuda and torch.is_grad_enabled()):
            return self._function(*inputs)
        # A graph is fixed in shapes and types, so each kind of input gets its own.
        kind = tuple((tensor.shape, tensor.dtype, tensor.requires_grad) for tensor in tensors)
        if kind not in self._graphs:
            self._graphs[kind] = self._captured(inputs)
        return self._graphs[kind](*inputs)

    def _captured(self, inputs: tuple[Any, ...]) -> Callable[..., Any]:
        """Capture the function and its gradients for inputs of this kind."""
        samples = tree_map(lambda t: t.detach().clone().requires_grad_(t.requires_grad), inputs)
        cached = torch.is_autocast_cache_enabled()
        # Autocast caches weights in lower precision: a graph would replay those of its capture.
        torch.set_autocast_cache_enabled(False)
        try:
            return torch.cuda.make_graphed_callables(
                _Body(self._module, self._function), samples, allow_unused_input=True
            )
        finally:
            torch.set_autocast_cache_enabled(cached)


class _Body(nn.Module):
    """A function with the parameters that it uses, the form that a capture needs."""

    def __init__(self, module: nn.Module, function: Callable[..., Any]) -> None:
        super().__init__()
        self.module, self.function = module, function

    def forward(self, *inputs: Any) -> Any:
        return self.function(*inputs)
