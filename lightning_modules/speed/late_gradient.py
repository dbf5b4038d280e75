"""Gradient of a weight that a loop over time uses in every step, in one product after the loop."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


class LateGradient(torch.autograd.Function):
    """Passes offsets through, and computes the weight's gradient after the loop's backward pass.

    In a loop over ``y_t = offset_t + W x_t`` the offset's gradient is that of ``y_t``, so with
    ``W`` detached inside the loop dL/dW = sum of (dL/doffset_t) x_t^T is one product of T * B rows.
    Autograd's own T products of B rows, each added to a matrix of the size of ``W``, take a third
    of the backward pass of a small batch.
    """

    @staticmethod
    def forward(ctx: Any, offsets: Tensor, weight: Tensor, inputs: list[Tensor]) -> Tensor:
        """Return the offsets.

        Args:
            ctx: autograd's context.
            offsets: [T, B, O].
            weight: [O, I].
            inputs: empty; the loop appends the x_t of S steps at a time, [S, B, I], detached.
        """
        # The list itself is kept: it is still empty here, and full by the time of ``backward``.
        ctx.inputs, ctx.weight_dtype = inputs, weight.dtype
        return offsets.view_as(offsets)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        """Return the offsets' gradient unchanged, and the weight's, [O, I]."""
        inputs = torch.cat(ctx.inputs).flatten(0, 1).to(gradient.dtype)
        weight = gradient.flatten(0, 1).mT @ inputs
        return gradient, weight.to(ctx.weight_dtype), None


class LateLinear:
    """Linear map ``W x_t`` plus a known part, for one pass of a loop over time.

    Args:
        weight: W, [O, I].
        known: [T, B, O], the part of each step that is known before the loop.
    """

    def __init__(self, weight: Tensor, known: Tensor) -> None:
        self._inputs: list[Tensor] = []
        self._known = iter(LateGradient.apply(known, weight, self._inputs).unbind())
        self._weight = weight.detach()

    def __call__(self, inputs: Tensor) -> Tensor:
        """Return the outputs [B, O] of the next step for x_t [B, I]."""
        known, inputs, weight = self.parts(inputs)
        return torch.addmm(known, inputs, weight.mT)

    def parts(self, inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the parts of the next step's outputs: the known one, x_t, and W [O, I]."""
        self._inputs.append(inputs.detach().unsqueeze(0))
        return next(self._known), inputs, self._weight
