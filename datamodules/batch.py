"""The batch that every sequence benchmark hands to a model."""

from typing import NamedTuple

from torch import Tensor


class FrameSequences(NamedTuple):
    """B sequences of T frames; one item of a dataset is the same tuple without B."""

    frames: Tensor
    """Observations, float32 [B, T, C, H, W] in [0, 1]."""
    actions: Tensor
    """Known context of each step, one-hot float32 [B, T, A]; `actions[:, t]` leads to frame t.

    A is 0 in benchmarks without actions."""
    recalled_from: Tensor
    """Latest earlier step that shows the content of this step, int64 [B, T]; -1 where it is new."""
    place: Tensor
    """Identity of what is seen within its sequence, int64 [B, T] (maze: row * grid + column)."""
    labels: Tensor
    """Class of what is seen, int64 [B, T] (MNIST: the digit)."""
