"""The drift of a function's kernel from step to step (Singh et al. 2020, appendix B.1)."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

DriftNoise = Literal["multiplicative", "additive"]
#: Standard deviation of a step's noise, relative to the velocity or absolute.
NOISE = 0.1
#: Minimum length scale and scale: above the spacing of the training grid, 0.08, below which a
#: function would be white noise, and five times the jitter, 0.02, which would drown it.
FLOOR = 0.1


@dataclass(frozen=True)
class KernelDrift:
    """Length scale l and scale s move with constant velocities, and a little noise.

    Both start uniformly in their ranges, and every step adds dl (1 + 0.1 e), with e ~ N(0, 1) and a
    velocity dl that is uniform in +-`velocities` and drawn once (the same for s). That is the
    authors' code; the text adds dl + 0.1 e instead ("additive").
    """

    length_scale: tuple[float, float]
    """Range of l in the first step."""
    scale: tuple[float, float]
    """Range of s in the first step."""
    velocities: tuple[float, float]
    """Largest change of l and of s per step."""
    noise: DriftNoise = "multiplicative"
    tied: bool = False
    """Whether one random number sets the starts and velocities of l and s, each in its own range,
    and s has the noise of l: the authors' test data draw all of them with the same seed."""

    def free_paths(self, rng: np.random.Generator, count: int, steps: int) -> NDArray[np.float64]:
        """Draw paths without the floor.

        Returns:
            l and s of every step, [count, steps, 2]; any sign.
        """
        start, velocity = rng.random((2, count, 1, 2))
        return self.walk(start, velocity, rng.standard_normal((count, steps - 1, 2)))

    def walk(
        self, start: NDArray[np.float64], velocity: NDArray[np.float64], noise: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Compute paths without the floor from the random numbers of l and s.

        Args:
            start: starts relative to their ranges, from 0 to 1, [count, 1, 2].
            velocity: velocities relative to their ranges, from 0 to 1, [count, 1, 2].
            noise: standard normal numbers of the moves, [count, steps - 1, 2].

        Returns:
            l and s of every step, [count, steps, 2]; any sign.
        """
        if self.tied:
            start, noise = start[..., [0, 0]], noise[..., [0, 0]]
            velocity = start
        low, high = np.array([self.length_scale, self.scale]).T
        velocity = (2 * velocity - 1) * np.array(self.velocities)
        noise = NOISE * noise
        moves = velocity * (1 + noise) if self.noise == "multiplicative" else velocity + noise
        return np.cumsum(np.concatenate([low + (high - low) * start, moves], axis=1), axis=1)

    def paths(self, rng: np.random.Generator, count: int, steps: int) -> NDArray[np.float64]:
        """Draw paths of l and s that stay above the floor, [count, steps, 2]."""
        return reflect(self.free_paths(rng, count, steps))


def reflect(free: NDArray[np.float64]) -> NDArray[np.float64]:
    """Reflect paths at the floor, with the same speed.

    The authors' code has no floor, but squares l and s, which reflects their paths at 0. The two
    differ only in values that are numerically useless. Rejecting such paths would bias velocities.
    """
    return FLOOR + np.abs(free - FLOOR)


def reflected(free: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which paths [count, T, 2] touch the floor with l or s, [count]."""
    return np.any(free <= FLOOR, axis=(1, 2))
