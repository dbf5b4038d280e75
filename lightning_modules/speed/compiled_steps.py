"""Compiled pieces of the loop over time, each of some steps.

One graph of some steps serves sequences of every length. The best number depends on the core: the
time to compile grows with it, and entering and leaving a graph costs half a millisecond.
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
    # Kernels are called from C++: from Python a call costs microseconds, and a DNC's step has 30.
    "cpp_wrapper": True,
    # They check what inductor itself allocated, and cost a tenth of a chunk's time.
    "size_asserts": False,
    "alignment_asserts": False,
}


def require_compiler() -> None:
    """Raise a ValueError where nothing can be compiled."""
    try:
        get_cpp_compiler()
    except InvalidCxxCompiler:
        missing = "there is no C++ compiler (g++, clang++ or what CXX names)"
        raise ValueError(f"compile must be false where {missing}, got True") from None


def graph_size(steps: int, most: int) -> int:
    """Choose the size of graphs, at most ``most``, with which so many steps take the fewest calls.

    A step that is left over is called by itself, and counts as two.
    """
    return min(
        range(1, min(steps, most) + 1),
        key=lambda size: (steps // size + 2 * (steps % size), -size),
    )


def span_sizes(steps: int, size: int | None) -> list[int]:
    """Divide steps into a remainder and then graphs of one size; None if there are no graphs."""
    left = steps if size is None else steps % size
    spans = [left] if left else []
    return spans if size is None else spans + [size] * (steps // size)


class CompiledSteps:
    """Compiled function of a module, its state and the inputs of some steps.

    The same graph serves every chunk, because ``_alike`` makes each state look the same, whether it
    depends on parameters yet or not. Compiled code stays in torch's cache for later runs.

    Args:
        steps: (module, state, *inputs) -> (state, outcomes). It is not bound to the module, of
            which there may be copies; tensors may be nested in tuples and lists.
    """

    def __init__(self, steps: Callable[..., tuple[Any, Any]]) -> None:
        self._size: int | None = None
        self.steps = torch.compile(steps, fullgraph=True, dynamic=False, options=OPTIONS)
        self.announced = False

    def size_with(self, core: MemoryCore) -> int | None:
        """Return the steps of a graph with this core, or None if its shapes differ between steps.

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
        """Return the state after the steps, and their outcomes."""
        state, *inputs = tree_map_only(Tensor, _alike, (state, *inputs))
        if not self.announced:
            self._announce(module, state, *inputs)
        return self.steps(module, state, *inputs)

    def _announce(self, module: nn.Module, *inputs: Any) -> None:
        """Compile both passes on copies of the inputs, and print how long it took."""
        started = time.perf_counter()
        copies = tree_map_only(Tensor, _leaf, inputs)
        outcomes = [x for x in tree_leaves(self.steps(module, *copies)) if x.requires_grad]
        wanted = [x for x in tree_leaves(copies) if x.requires_grad]
        torch.autograd.grad([x.sum() for x in outcomes], wanted, allow_unused=True)
        say(
            f"Compiled {self._size} steps of the loop over time in "
            f"{time.perf_counter() - started:.0f} s"
        )
        self.announced = True


def _alike(tensor: Tensor) -> Tensor:
    """Return the tensor as a new object, contiguous, differentiable if its type allows it."""
    # A graph is compiled for strides, aliasing and requires_grad: a difference compiles it anew.
    tensor = tensor.contiguous()
    return tensor.view_as(tensor) if tensor.requires_grad else _leaf(tensor)


def _leaf(tensor: Tensor) -> Tensor:
    return tensor.detach().requires_grad_(tensor.is_floating_point())
