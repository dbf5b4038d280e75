"""A camera's movement through a room, in integer poses, so that it can return exactly.

A pose is x and y in the engine's units and a heading in 1/65536 turns, counter-clockwise. The
engine would round other numbers, and the camera would not return exactly.
"""

import math
from collections import deque
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from datamodules.rooms.room import Cell, Room

#: Headings per turn.
TURN = 65_536
#: One angle or an array of angles, in 1/65536 turns.
Angle = TypeVar("Angle", int, NDArray[np.int64])
#: Mean number of steps per turn, and its relative spread.
PERIOD, PERIOD_SPREAD = 15.0, 0.07
#: Range of the speed's relative oscillation, and of its period in turns.
SWING, SWING_TURNS = (0.1, 0.35), (0.7, 1.3)
#: Maximum distance of a turning camera from the middle of its cell.
OFF_CENTRE = 20
#: A walking camera looks along its path, from BEHIND to AHEAD units, and sways by SWAY degrees.
AHEAD, BEHIND, SWAY = 60.0, 20.0, 15.0


def short_way(angle: Angle) -> Angle:
    """Return the equivalent angle of at most half a turn."""
    return (angle + TURN // 2) % TURN - TURN // 2


def rotation(room: Room, steps: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Turn in place, in either direction, at a speed that swings (Gemici et al. 2017, 5.7).

    A turn takes about 15 steps, so views of the second one lie between those of the first.

    Args:
        room: the room, whose middle cell contains the camera.
        steps: number T of poses.
        rng: source of position, direction and speed.

    Returns:
        Poses, [T, 3].
    """
    place = room.centre(room.cells[0]) + rng.integers(-OFF_CENTRE, OFF_CENTRE + 1, 2)
    speed = (
        rng.choice([-1, 1]) * TURN / (PERIOD * rng.uniform(1 - PERIOD_SPREAD, 1 + PERIOD_SPREAD))
    )
    share, phase = rng.uniform(*SWING), rng.uniform(0, 2 * math.pi)
    swings = 2 * math.pi / (PERIOD * rng.uniform(*SWING_TURNS))
    moves = speed * (1 + share * np.sin(swings * np.arange(steps - 1) + phase))
    headings = rng.integers(TURN) + np.concatenate([[0], np.cumsum(np.round(moves))])
    return np.column_stack([np.tile(place, (steps, 1)), headings % TURN]).astype(np.int64)


def there_and_back(room: Room, steps: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Walk from a random cell to the farthest one, then backwards through the same poses.

    Args:
        room: the room.
        steps: number T of poses, even; the second half is the first in reverse.
        rng: source of the start.

    Returns:
        Poses, [T, 3].
    """
    corners = _way(room, room.cells[rng.integers(len(room.cells))])
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(corners, axis=0), axis=1))])
    walked = np.linspace(0, length[-1], steps // 2)

    def at(distance: NDArray[np.float64]) -> NDArray[np.float64]:
        within = np.clip(distance, 0, length[-1])
        return np.column_stack([np.interp(within, length, corners[:, axis]) for axis in (0, 1)])

    looked = at(walked + AHEAD) - at(walked - BEHIND)
    headings = np.unwrap(np.arctan2(looked[:, 1], looked[:, 0]))
    sway = math.radians(SWAY) * np.sin(np.linspace(0, 2 * math.pi, steps // 2))
    units = np.round((headings + sway) * TURN / (2 * math.pi)) % TURN
    there = np.column_stack([np.round(at(walked)), units]).astype(np.int64)
    return np.concatenate([there, there[::-1]])


def _way(room: Room, start: Cell) -> NDArray[np.float64]:
    """Return the corners of the shortest path from a cell to the farthest one, [N, 2]."""
    before: dict[Cell, Cell | None] = {start: None}
    queue = deque([start])
    while queue:
        last = queue.popleft()
        for cell in room.neighbours(last):
            if cell not in before:
                before[cell] = last
                queue.append(cell)
    cells = [last]
    while (previous := before[cells[-1]]) is not None:
        cells.append(previous)
    cells.reverse()
    corners = [room.centre(cells[0])]
    for here, there in zip(cells, cells[1:], strict=False):
        corners += [room.passage(here, there), room.centre(there)]
    return np.array(corners)
