"""Compiled chunks of the loop over time.

One graph of several steps serves sequences of every length. The best number of steps depends on the
core: compile time grows with it, and entering and leaving a graph costs half a millisecond.
"""

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch._inductor.cpp_builder import get_cpp_compiler
from torch._inductor.exc import InvalidCxxCompiler
from torch.utils._pytree import tree_leaves, tree_map_only

from lightning_modules.speed.preparation import prepare, say
from memory_cores import MemoryCore

OPTIONS: dict[str, str | int | bool | Callable[..., Any]] = {
    # Call kernels from C++: a call from Python costs microseconds, and a DNC's step has 30.
    "cpp_wrapper": True,
    # These check inductor's own allocations, and cost a tenth of a chunk's time.
    "size_asserts": False,
    "alignment_asserts": False,
}


def require_compiler() -> None:
    """Raise a ValueError if there is no C++ compiler."""
    try:
        get_cpp_compiler()
    except InvalidCxxCompiler:
        missing = "a C++ compiler (g++, clang++ or the one that CXX names)"
        raise ValueError(f"compile must be false without {missing}, got True") from None


def graph_size(steps: int, most: int) -> int:
    """Return the graph size, at most ``most``, that needs the fewest calls for these steps.

    Each remaining step is a call of its own, and counts as two.
    """
    return min(
        range(1, min(steps, most) + 1),
        key=lambda size: (steps // size + 2 * (steps % size), -size),
    )


def span_sizes(steps: int, size: int | None) -> list[int]:
    """Divide steps into a remainder, then graphs of equal size; a size of None means no graphs."""
    remainder = steps if size is None else steps % size
    spans = [remainder] if remainder else []
    return spans if size is None else spans + [size] * (steps // size)


class CompiledSteps:
    """Compiled function of a module, its state and the inputs of several steps.

    The same graph serves every chunk, because ``_alike`` gives all states the same layout, whether
    they depend on parameters yet or not. Compiled code stays in torch's cache for later runs.

    Args:
        steps: (module, state, *inputs) -> (state, outputs), not bound to the module, of which there
            may be copies; tensors may be nested in tuples and lists.
    """

    def __init__(self, steps: Callable[..., tuple[Any, Any]]) -> None:
        self._size: int | None = None
        self.steps = torch.compile(steps, fullgraph=True, dynamic=False, options=OPTIONS)
        self.announced = False

    def size_with(self, core: MemoryCore) -> int | None:
        """Return the number of steps per graph, or None if the core's shapes vary between steps.

        The first call prepares the process. Sequences shorter than a graph are not compiled.
        """
        if core.graph_steps == 0:
            if not self.announced:
                name = type(core).__name__
                say(f"The state of this {name} grows from step to step: nothing is compiled")
            self.announced = True
            return None
        if self._size is None:
            prepare()
            self._size = graph_size(core.sizes.steps, core.graph_steps)
        return self._size

    def __call__(self, module: nn.Module, state: Any, *inputs: Tensor) -> tuple[Any, Any]:
        """Return the state after the steps, and their outputs."""
        state, *inputs = tree_map_only(Tensor, _alike, (state, *inputs))
        if not self.announced:
            self._announce(module, state, *inputs)
        return self.steps(module, state, *inputs)

    def _announce(self, module: nn.Module, *inputs: Any) -> None:
        """Compile both passes on copies of the inputs, and print the time that took."""
        started = time.perf_counter()
        copies = tree_map_only(Tensor, _leaf, inputs)
        outputs = [x for x in tree_leaves(self.steps(module, *copies)) if x.requires_grad]
        leaves = [x for x in tree_leaves(copies) if x.requires_grad]
        torch.autograd.grad([x.sum() for x in outputs], leaves, allow_unused=True)
        say(
            f"Compiled {self._size} steps of the loop over time in "
            f"{time.perf_counter() - started:.0f} s"
        )
        self.announced = True


def _alike(tensor: Tensor) -> Tensor:
    """Return the tensor as a new, contiguous object, differentiable if its type allows it."""
    # Graphs are specialised on strides, aliasing and requires_grad: a difference recompiles.
    tensor = tensor.contiguous()
    return tensor.view_as(tensor) if tensor.requires_grad else _leaf(tensor)


def _leaf(tensor: Tensor) -> Tensor:
    return tensor.detach().requires_grad_(tensor.is_floating_point())
