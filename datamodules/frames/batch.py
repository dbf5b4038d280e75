"""The batch that every benchmark of frames passes to a model."""

from typing import NamedTuple

from torch import Tensor


class FrameSequences(NamedTuple):
    """B sequences of T frames; one item of a dataset is the same tuple without B."""

    frames: Tensor
    """Observations, float32 [B, T, C, H, W] in [0, 1]."""
    actions: Tensor
    """Known context of each step, float32 [B, T, A]; that of step t leads to frame t.

    One-hot if there are A kinds of moves; A is 0 in benchmarks without actions."""
    recalled_from: Tensor
    """Earlier step that this one recalls, int64 [B, T]; -1 where nothing is recalled.

    Both show the same content; in parity recall, this step reports the other's parity."""
    place: Tensor
    """Identity of what is seen within its sequence, int64 [B, T] (maze: row * grid + column; recall
    tasks and rooms: the step that showed it first, or what is nearest to it)."""
    labels: Tensor
    """Class of what is seen, int64 [B, T] (MNIST: the digit; Omniglot: the character)."""
    episode: Tensor
    """Id of the sequence in its split, int64 [B], which determines its noise."""
