"""The batch that every benchmark of changing functions passes to a model."""

from typing import NamedTuple

from torch import Tensor


class FunctionSequences(NamedTuple):
    """B sequences of T functions; one item of a dataset is the same tuple without B.

    Each step shows a function at up to N context points, and a model predicts it at up to M
    targets. Real points come first; where a mask is False, x and y are 0. N and M are a regime's
    maxima, whatever the batch: all training batches (of a curriculum's stage) have the same shapes,
    so that a model compiles once. Padding to a batch's own maximum would save little (in
    transfer-prediction, the largest of 160 draws from 5 to 50 is 50 in 97% of the batches).
    """

    context_x: Tensor
    """Context locations, float32 [B, T, N, Dx]."""
    context_y: Tensor
    """The function there, float32 [B, T, N, Dy]."""
    context_mask: Tensor
    """Which context points are real, bool [B, T, N]; a step may have none."""
    target_x: Tensor
    """Target locations, float32 [B, T, M, Dx]."""
    target_y: Tensor
    """The function there, float32 [B, T, M, Dy]."""
    target_mask: Tensor
    """Which targets are real, bool [B, T, M]; every step has one."""
    target_seen: Tensor
    """Which targets are context points of their own step, bool [B, T, M]; never padding."""
    task: Tensor
    """Hidden state that generated each step's function, float32 [B, T, P]; not given to models.

    In 1D it is the kernel's length scale and scale; of images, the position."""
    episode: Tensor
    """Id of the sequence in its split, int64 [B], which determines its noise."""


def without_padding(batch: FunctionSequences) -> FunctionSequences:
    """Set padding to 0, whatever its values: NaN times 0 is NaN in gradients."""

    def filled(points: Tensor, mask: Tensor) -> Tensor:
        return points.masked_fill(~mask.unsqueeze(-1), 0)

    return batch._replace(
        context_x=filled(batch.context_x, batch.context_mask),
        context_y=filled(batch.context_y, batch.context_mask),
        target_x=filled(batch.target_x, batch.target_mask),
        target_y=filled(batch.target_y, batch.target_mask),
    )
