"""Compiling the loop over time a few steps at a time.

One graph of a few steps serves sequences of every length. It takes a fraction of the time that a
whole unroll takes to compile, and runs nearly as fast.
"""

import time
from collections.abc import Callable
from typing import Any

import torch
from lightning.pytorch.utilities.rank_zero import rank_zero_only
from torch import Tensor
from torch._inductor.cpp_builder import get_cpp_compiler
from torch._inductor.exc import InvalidCxxCompiler
from torch.utils._pytree import tree_leaves, tree_map_only

#: Steps of one graph. More gain little, and compiling takes in proportion to them.
CHUNK = 4


def require_compiler() -> None:
    """Raise a RuntimeError that says what is missing, where nothing can be compiled."""
    try:
        get_cpp_compiler()
    except InvalidCxxCompiler:
        raise RuntimeError(
            "compile=true needs a C++ compiler (g++ or clang++, or its path in CXX); "
            "without one leave it out"
        ) from None


def span_sizes(steps: int, known: int) -> list[int]:
    """Divide steps into chunks to be compiled, among the first ``known``, and single steps.

    The chunks end with the last known step; at least the first step of all is taken by itself.
    """
    chunks = max(known - 1, 0) // CHUNK
    singles = known - chunks * CHUNK
    return [1] * singles + [CHUNK] * chunks + [1] * (steps - known)


def in_spans(parts: Tensor, sizes: list[int]) -> tuple[Tensor, ...]:
    """Divide [K, ...] by sizes of which those beyond K are single steps.

    In one operator, whose gradient is one too; that of a slice is as large as the whole.
    """
    return parts.split(sizes[: len(sizes) - (sum(sizes) - len(parts))]) if len(parts) else ()


class CompiledSteps:
    """A function from a state and inputs of ``CHUNK`` steps to the state after them and outcomes.

    The same graph serves every chunk, since the state always comes in contiguous and after at least
    one step, when all that will ever depend on a parameter does. Compiled code is kept in torch's
    cache, where later runs find it.

    Args:
        steps: the function; all its tensors may be nested in tuples and lists.
    """

    def __init__(self, steps: Callable[..., tuple[Any, Any]]) -> None:
        # The asserts check what inductor itself allocated, at a tenth of the time of a chunk.
        options = {"size_asserts": False, "alignment_asserts": False}
        self._steps = torch.compile(steps, fullgraph=True, dynamic=False, options=options)
        self._announced = False

    def __call__(self, state: Any, *inputs: Tensor) -> tuple[Any, Any]:
        """Return the state after the steps, and their outcomes."""
        arguments = tree_map_only(Tensor, Tensor.contiguous, (state, *inputs))
        if not self._announced:
            self._announce(arguments)
        return self._steps(*arguments)

    def _announce(self, arguments: tuple[Any, ...]) -> None:
        """Compile both passes at once, and say how long it took."""
        started = time.perf_counter()
        leaves = tree_map_only(Tensor, _leaf, arguments)
        outcomes = [x for x in tree_leaves(self._steps(*leaves)) if x.requires_grad]
        wanted = [x for x in tree_leaves(leaves) if x.requires_grad]
        torch.autograd.grad([x.sum() for x in outcomes], wanted, allow_unused=True)
        seconds = time.perf_counter() - started
        say(f"Compiled {CHUNK} steps of the loop over time in {seconds:.0f} s")
        self._announced = True


def _leaf(tensor: Tensor) -> Tensor:
    return tensor.detach().requires_grad_(tensor.requires_grad)


@rank_zero_only
def say(line: str) -> None:
    """Print a line once, whatever the number of processes."""
    print(line, flush=True)
