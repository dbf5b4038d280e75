"""A sequence of functions and its predictions."""

from typing import NamedTuple

from torch import Tensor


class PredictedFunctions(NamedTuple):
    """T functions of one variable at context points and at targets, float32 on the CPU.

    Entries whose mask is False are padding.
    """

    context_x: Tensor  #: [T, N, 1]
    context_y: Tensor  #: [T, N, 1]
    context_mask: Tensor  #: [T, N] bool
    target_x: Tensor  #: [T, M, 1], in ascending order
    target_y: Tensor  #: [T, M, 1], the truth
    target_mask: Tensor  #: [T, M] bool
    mean: Tensor  #: [T, M, 1], predicted
    sigma: Tensor  #: [T, M, 1], predicted standard deviation
    keys: Tensor | None  #: [T, K, 1], places of imaginary keys; None without any
    x_range: float  #: the grid spans -x_range to x_range

    @property
    def with_context(self) -> Tensor:
        """Steps with a context, [T] bool."""
        return self.context_mask.any(1)
