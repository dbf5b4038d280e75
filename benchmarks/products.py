"""Times the matrix products of a training step alone: a lower bound on the step's time."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

from memory_cores.kernels import building
from timing import Step

aten = torch.ops.aten
PRODUCTS = {aten.mm.default, aten.addmm.default, aten.bmm.default, aten.baddbmm.default}
CONVOLUTIONS = {aten.convolution.default, aten.convolution_backward.default}
ATTENTION = "_scaled_dot_product"


class Layout(NamedTuple):
    """What a product's time depends on."""

    shape: tuple[int, ...]
    stride: tuple[int, ...]
    dtype: torch.dtype
    device: torch.device

    @classmethod
    def of(cls, tensor: Tensor) -> "Layout":
        """Describe a tensor."""
        return cls(tuple(tensor.shape), tensor.stride(), tensor.dtype, tensor.device)

    def filled(self) -> Tensor:
        """Return random numbers in this layout."""
        last = sum((n - 1) * step for n, step in zip(self.shape, self.stride, strict=True))
        numbers = torch.randn(max(last, 0) + 1, dtype=torch.float32, device=self.device)
        return numbers.to(self.dtype).as_strided(self.shape, self.stride)


class Call(NamedTuple):
    """An operator with layouts in place of tensors."""

    operator: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


def is_attention(operator: Any) -> bool:
    """Return whether an operator is a fused attention or its gradient."""
    return ATTENTION in str(operator)


def is_product(operator: Any) -> bool:
    """Return whether an operator is a product, convolution or fused attention, or a gradient."""
    return operator in PRODUCTS | CONVOLUTIONS or is_attention(operator)


class ProductRecorder(TorchDispatchMode):
    """Records the products of everything that runs under it, including backward passes."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Call] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Record a product's layouts, and call it."""
        kwargs = kwargs or {}
        if is_product(func):
            self.calls.append(Call(func, *tree_map_only(Tensor, Layout.of, (args, kwargs))))
        return func(*args, **kwargs)


def repeated(calls: Iterable[Call]) -> Step:
    """Return a step with only these products; equal layouts share their tensors."""
    tensors: dict[Layout, Tensor] = {}

    def filled(part: Any) -> Any:
        if isinstance(part, Layout):
            if part not in tensors:
                tensors[part] = part.filled()
            return tensors[part]
        if isinstance(part, tuple | list):
            return type(part)(map(filled, part))
        return part

    ready = [
        (call.operator, filled(call.args), {k: filled(v) for k, v in call.kwargs.items()})
        for call in calls
    ]

    @torch.no_grad()
    def step() -> None:
        for operator, args, kwargs in ready:
            operator(*args, **kwargs)

    return step


def products_of(step: Step) -> list[Call]:
    """Record the products of one step, run in Python without C++ operators and compiled code."""
    eager = torch.compiler.set_stance("force_eager")
    with eager, building.left_out(), ProductRecorder() as recorder:
        step()
    return recorder.calls
