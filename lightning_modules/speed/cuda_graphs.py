"""Recurrences as CUDA graphs: thousands of small kernels in one launch.

In a recurrence of T steps, kernels take microseconds each and wait for Python in between. Training
batches have only a few shapes, so the same kernels run in every training step.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.utils._pytree import tree_leaves, tree_map


class CapturedGraphs:
    """Function of tensors that is captured at its first use in training and replayed afterwards.

    Calls that are not on CUDA or need no gradients run as usual. Each replay overwrites the outputs
    of the one before; there are no second derivatives.

    It is not a module itself, since its module is already part of the model.

    Args:
        module: the module whose parameters the function uses.
        function: maps tensors or tuples of tensors to the same; must not synchronise with the
            device.
    """

    def __init__(self, module: nn.Module, function: Callable[..., Any]) -> None:
        self._module, self._function = module, function
        self._graphs: dict[Any, Callable[..., Any]] = {}

    def __call__(self, *inputs: Any) -> Any:
        """Return the function's outputs."""
        tensors = tree_leaves(inputs)
        if not (tensors[0].is_cuda and torch.is_grad_enabled()):
            return self._function(*inputs)
        # A graph has fixed shapes and types, so each kind of input gets its own.
        kind = tuple((tensor.shape, tensor.dtype, tensor.requires_grad) for tensor in tensors)
        if kind not in self._graphs:
            self._graphs[kind] = self._captured(inputs)
        return self._graphs[kind](*inputs)

    def _captured(self, inputs: tuple[Any, ...]) -> Callable[..., Any]:
        """Capture the function and its gradients for inputs of this kind."""
        samples = tree_map(lambda t: t.detach().clone().requires_grad_(t.requires_grad), inputs)
        cached = torch.is_autocast_cache_enabled()
        # Autocast caches weights in lower precision: a graph would replay the captured ones.
        torch.set_autocast_cache_enabled(False)
        try:
            return torch.cuda.make_graphed_callables(
                _Body(self._module, self._function), samples, allow_unused_input=True
            )
        finally:
            torch.set_autocast_cache_enabled(cached)


class _Body(nn.Module):
    """A function as a module with its parameters, as ``make_graphed_callables`` requires."""

    def __init__(self, module: nn.Module, function: Callable[..., Any]) -> None:
        super().__init__()
        self.module, self.function = module, function

    def forward(self, *inputs: Any) -> Any:
        return self.function(*inputs)
