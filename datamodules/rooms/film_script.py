"""The script of a film: a pure function of the benchmark's seed, split and the film's number."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from datamodules.loading.episodes import episode_rng
from datamodules.rooms.camera import rotation, there_and_back
from datamodules.rooms.room import Room, draw_room, textmap
from datamodules.rooms.textures import Textures
from datamodules.sources import Split

#: Increased whenever the same seed would give other films.
VERSION = 1
#: Side of a frame, in pixels.
SIZE = 32
#: Draws the poses of a camera [T, 3] in a room.
Camera = Callable[[Room, int, np.random.Generator], NDArray[np.int64]]
CAMERAS: Mapping[str, Camera] = {"rotation": rotation, "loop_closure": there_and_back}


class FilmScript(NamedTuple):
    """What the engine needs to render a film."""

    map_text: str
    poses: NDArray[np.int64]
    """x, y and heading of the camera, [T, 3]."""


def write_film(
    camera: str, steps: int, seed: int, split: Split, number: int, textures: Textures
) -> FilmScript:
    """Draw a room and the camera's movement in it.

    Args:
        camera: name of the movement.
        steps: frames T.
        seed: seed of all films.
        split: split of the film; no two films have the same room.
        number: index of the film in its split.
        textures: available textures.
    """
    room, poses, rng = draw_poses(camera, steps, seed, split, number)
    return FilmScript(textmap(room, poses[:, :2], textures, rng), poses)


def draw_poses(
    camera: str, steps: int, seed: int, split: Split, number: int
) -> tuple[Room, NDArray[np.int64], np.random.Generator]:
    """Draw a film's room and poses, without textures; arguments as in `write_film`.

    Returns:
        The room, the poses [T, 3], and the generator for everything else.
    """
    rng = episode_rng(seed, split, 0, number)
    room = draw_room(rng)
    return room, CAMERAS[camera](room, steps, rng), rng
