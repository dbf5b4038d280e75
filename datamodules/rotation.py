"""Rotation in 3D: a camera turns twice in place (Gemici et al. 2017, section 5.7, figure 16).

The camera stands in a random room and turns at a varying speed, once in about 15 steps. Views
of the second turn lie between those of the first, so that copying a frame is not enough.
"""

from functools import partial
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from datamodules.rooms.benchmark import RoomDataModule
from datamodules.rooms.camera import TURN, short_way
from datamodules.rooms.dataset import Meaning, Views


class Rotation(RoomDataModule):
    """A camera turns in place; `recalled_from` is the nearest view of the first turn."""

    camera: ClassVar[str] = "rotation"

    def __init__(
        self, sequence_length: int = 30, angle_given: bool = False, **settings: Any
    ) -> None:
        """Check the settings; nothing is rendered.

        Args:
            sequence_length: frames T of a film; a turn takes about 15.
            angle_given: whether the model knows by which angle the camera has turned since the
                first frame, as sine and cosine; in the paper it does not.
            **settings: of `RoomDataModule`.

        Raises:
            ValueError: a setting is out of range.
        """
        super().__init__(sequence_length=sequence_length, **settings)

    @property
    def action_size(self) -> int:
        """Sine and cosine of the angle, if it is given."""
        return 2 if self.hparams["angle_given"] else 0

    @property
    def views(self) -> Meaning:
        """Rule that finds the nearest earlier views."""
        return partial(views_of_turns, angle_given=self.hparams["angle_given"])


def views_of_turns(poses: NDArray[np.int64], angle_given: bool) -> Views:
    """Find earlier views: after a whole turn, the nearest view of the first turn.

    Args:
        poses: of a camera that turns in one direction, [B, T, 3].
        angle_given: whether actions are sine and cosine of the angle since the first step.
    """
    moves = short_way(np.diff(poses[:, :, 2], axis=1))
    turned = np.concatenate([np.zeros_like(moves[:, :1]), moves.cumsum(1)], 1)
    first_turn = np.abs(turned) < TURN
    heading = turned % TURN
    gap = np.abs(short_way(heading[:, :, None] - heading[:, None]))
    nearest = np.where(first_turn[:, None], gap, TURN).argmin(2)
    place = np.where(first_turn, np.arange(turned.shape[1]), nearest)
    recalled_from = np.where(first_turn, -1, nearest)
    angle = 2 * np.pi / TURN * turned
    actions = np.stack([np.sin(angle), np.cos(angle)], 2)[..., : 2 * angle_given]
    return Views(actions.astype(np.float32), recalled_from, place)
