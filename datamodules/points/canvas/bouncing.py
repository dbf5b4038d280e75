"""The motion of a picture on its canvas (Yoon et al. 2020, section 5.2 and appendix B.2)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Bouncing:
    """Motion with a random start and direction, constant speed, a little noise and elastic walls.

    Every step adds v (1 + noise e) to the row and to the column, with e ~ N(0, 1) for each and a
    velocity v that is drawn once: the same noise as for drifting kernels. At a wall the picture is
    reflected with the same speed.
    """

    room: int
    """Pixels that the picture can move along each axis without leaving the canvas, at least 1."""
    speed: float
    """Pixels per step."""
    noise: float
    """Standard deviation of a step's velocity, relative to it."""

    def path(self, rng: np.random.Generator, steps: int) -> NDArray[np.float64]:
        """Draw the position of the picture's first pixel at every step, [steps, 2] in [0, room]."""
        start, angle = self.room * rng.random(2), 2 * np.pi * rng.random()
        velocity = self.speed * np.array([np.sin(angle), np.cos(angle)])
        moves = velocity * (1 + self.noise * rng.standard_normal((steps - 1, 2)))
        return bounce(np.cumsum(np.concatenate([start[None], moves]), axis=0), self.room)


def bounce(free: NDArray[np.float64], room: int) -> NDArray[np.float64]:
    """Reflect unbounded paths at 0 and at room, as often as necessary."""
    return room - np.abs(free % (2 * room) - room)
