"""The motion of a picture, against a loop that walks step by step."""

import numpy as np
import pytest

from datamodules.points.canvas.bouncing import Bouncing, bounce


def walk(seed: int, room: int, speed: float, noise: float, steps: int) -> np.ndarray:
    """Walk the same motion with a velocity that changes its sign at each wall."""
    rng = np.random.default_rng(seed)
    place = [room * rng.random(), room * rng.random()]
    angle = 2 * np.pi * rng.random()
    velocity = [speed * np.sin(angle), speed * np.cos(angle)]
    path = [tuple(place)]
    for _ in range(steps - 1):
        for axis in (0, 1):
            # The noise was drawn for a velocity that never turned: a reflection keeps the product.
            place[axis] += velocity[axis] * (1 + noise * rng.standard_normal())
            while not 0 <= place[axis] <= room:
                place[axis] = -place[axis] if place[axis] < 0 else 2 * room - place[axis]
                velocity[axis] = -velocity[axis]
        path.append(tuple(place))
    return np.array(path)


@pytest.mark.parametrize(("room", "speed"), [(14, 3.0), (10, 3.0), (1, 3.0), (10, 0.0)])
def test_paths_are_those_of_a_walk_with_reflections(room: int, speed: float) -> None:
    for seed in range(20):
        path = Bouncing(room, speed, 0.1).path(np.random.default_rng(seed), 50)
        expected = walk(seed, room, speed, 0.1, 50)
        np.testing.assert_allclose(path, expected, atol=1e-9)
        assert path.min() >= 0 and path.max() <= room


def test_bounces_are_elastic() -> None:
    """Every step between walls is 3 pixels long without noise, before and after a bounce."""
    moves = [
        np.diff(Bouncing(1_000, 3.0, 0.0).path(np.random.default_rng(seed), 900), axis=0)
        for seed in range(20)
    ]
    speeds = np.linalg.norm(np.concatenate(moves), axis=1)
    straight = np.isclose(speeds, 3)
    assert straight.mean() > 0.98, "all but the steps within which it bounces"
    assert speeds.max() < 3 + 1e-9
    turned = sum((np.diff(np.sign(move), axis=0) != 0).any() for move in moves)
    assert turned == 20, "900 steps of 3 pixels reach a wall"
    for move in moves:
        size = np.abs(move[np.isclose(np.linalg.norm(move, axis=1), 3)])
        np.testing.assert_allclose(size, np.broadcast_to(size[0], size.shape), atol=1e-9)


def test_noise_is_a_tenth_of_the_velocity_in_each_direction() -> None:
    motion = Bouncing(10**6, 3.0, 0.1)
    moves = np.diff(motion.path(np.random.default_rng(3), 20_000), axis=0)
    assert np.linalg.norm(moves.mean(axis=0)) == pytest.approx(3, abs=0.01)
    np.testing.assert_allclose(moves.std(axis=0) / np.abs(moves.mean(axis=0)), 0.1, atol=0.003)
    assert abs(np.corrcoef(moves.T)[0, 1]) < 0.03


def test_starts_and_directions_are_uniform() -> None:
    motion = Bouncing(10**6, 3.0, 0.0)
    paths = np.stack([motion.path(np.random.default_rng(seed), 2) for seed in range(2_000)])
    starts, moves = paths[:, 0] / 10**6, np.diff(paths, axis=1)[:, 0]
    np.testing.assert_allclose(starts.mean(axis=0), 0.5, atol=0.03)
    np.testing.assert_allclose(starts.var(axis=0), 1 / 12, atol=0.006)
    angles = np.histogram(np.arctan2(*moves.T), bins=8, range=(-np.pi, np.pi))[0]
    assert ((angles - 250) ** 2 / 250).sum() < 24.3, "7 df, 0.1%"


def test_what_is_inside_stays_and_what_is_far_outside_folds_often() -> None:
    free = np.array([0, 3.5, 10, 10.5, 20, 23, -0.5, -10, -12, 47])
    np.testing.assert_allclose(bounce(free, 10), [0, 3.5, 10, 9.5, 0, 3, 0.5, 10, 8, 7])
