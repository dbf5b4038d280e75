"""Loop closure in 3D: a camera walks from A to B, then backwards through the same poses.

This tests world models: what they show on the way back must match what they showed, or were shown,
on the way there. Frames of the way back equal those of the way there bit for bit.
"""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from datamodules.rooms.benchmark import RoomDataModule
from datamodules.rooms.camera import TURN, short_way
from datamodules.rooms.dataset import Meaning, Views

#: The engine's units per metre, roughly: a person is 56 units tall.
METRE = 32.0


class LoopClosure(RoomDataModule):
    """A camera walks there and back; the actions are the changes of its pose."""

    camera: ClassVar[str] = "loop_closure"

    def __init__(self, sequence_length: int = 40, **settings: Any) -> None:
        """Check the settings; nothing is rendered.

        Args:
            sequence_length: frames T of a film, half of them on the way there.
            **settings: of `RoomDataModule`.

        Raises:
            ValueError: a setting is out of range.
        """
        super().__init__(sequence_length=sequence_length, **settings)
        if sequence_length % 2:
            raise ValueError(f"sequence_length must be even, got {sequence_length}")

    @property
    def action_size(self) -> int:
        """Metres ahead, metres to the left, and radians to the left."""
        return 3

    @property
    def views(self) -> Meaning:
        """Rule that matches the way back to the way there."""
        return views_of_ways


def views_of_ways(poses: NDArray[np.int64]) -> Views:
    """Express moves in the previous camera frame, and match the way back to the way there.

    Args:
        poses: of a camera that walks there and back, [B, T, 3].
    """
    count, steps, _ = poses.shape
    step = np.arange(steps)
    back = step >= steps // 2
    place = np.where(back, steps - 1 - step, step)
    recalled_from = np.where(back, place, -1)
    actions = np.zeros((count, steps, 3), np.float32)
    move = np.diff(poses[:, :, :2], axis=1) / METRE
    heading = 2 * np.pi / TURN * poses[:, :-1, 2]
    ahead, left = np.cos(heading), np.sin(heading)
    actions[:, 1:, 0] = move[..., 0] * ahead + move[..., 1] * left
    actions[:, 1:, 1] = move[..., 1] * ahead - move[..., 0] * left
    turn = short_way(np.diff(poses[:, :, 2], axis=1))
    actions[:, 1:, 2] = 2 * np.pi / TURN * turn
    everywhere = count, 1
    return Views(actions, np.tile(recalled_from, everywhere), np.tile(place, everywhere))
