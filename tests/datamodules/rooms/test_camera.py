"""Movements of the camera: turns, speeds and the way back."""

import numpy as np
import pytest

from datamodules.rooms.camera import TURN, rotation, there_and_back
from datamodules.rooms.room import NARROWEST, Room, draw_room

SEEDS = range(200)


def drawn(seed: int) -> tuple[Room, np.random.Generator]:
    rng = np.random.default_rng(seed)
    return draw_room(rng), rng


def moves_of(poses: np.ndarray) -> np.ndarray:
    """Signed changes of the heading, the short way round."""
    return (np.diff(poses[:, 2]) + TURN // 2) % TURN - TURN // 2


def test_a_turn_takes_about_15_steps_at_a_speed_that_swings() -> None:
    turns, swings, directions = [], [], []
    for seed in SEEDS:
        room, rng = drawn(seed)
        poses = rotation(room, 30, rng)
        assert poses.shape == (30, 3) and (poses[:, 2] >= 0).all() and (poses[:, 2] < TURN).all()
        assert (poses[:, :2] == poses[0, :2]).all()
        assert np.abs(poses[0, :2] - room.centre((2, 2))).max() <= 20.5
        moves = moves_of(poses)
        directions.append(np.sign(moves))
        turned = np.abs(moves.cumsum())
        turns.append(np.argmax(turned >= TURN) + 1)
        swings.append(np.abs(moves).max() / np.abs(moves).min())
    assert all(len({*direction}) == 1 for direction in directions), "it never turns back"
    assert 0.4 < np.mean([direction[0] for direction in directions] == np.ones(200)) < 0.6
    assert np.mean(turns) == pytest.approx(15.5, abs=0.3)  # the first step after a whole turn
    assert min(turns) >= 12 and max(turns) <= 19
    assert min(swings) > 1.1 and max(swings) < 2.2


def test_the_way_back_is_the_way_there() -> None:
    lengths = []
    for seed in SEEDS:
        room, rng = drawn(seed)
        poses = there_and_back(room, 40, rng)
        assert (poses[:20] == poses[20:][::-1]).all()
        steps = np.linalg.norm(np.diff(poses[:20, :2], axis=0), axis=1)
        # Rounded to whole units in both directions.
        assert np.ptp(steps) <= 0.35 * steps.mean() + 3
        lengths.append(steps.sum())
        for x, y in poses[:, :2]:
            row, column = (
                np.searchsorted(lines, at, "right") - 1
                for lines, at in ((room.rows, y), (room.columns, x))
            )
            assert (row, column) in room.cells or (x in room.columns or y in room.rows)
    assert min(lengths) > NARROWEST, "at least one cell further"
    assert np.mean(lengths) > 400


def test_the_camera_looks_ahead() -> None:
    """It sways by 15 degrees and looks round corners before reaching them."""
    within = []
    for seed in SEEDS:
        room, rng = drawn(seed)
        poses = there_and_back(room, 40, rng)[:20]
        move = np.diff(poses[:, :2], axis=0)
        angle = np.arctan2(move[:, 1], move[:, 0]) * TURN / (2 * np.pi) - poses[:-1, 2]
        off = np.abs((angle + TURN / 2) % TURN - TURN / 2) * 360 / TURN
        within.append(off < 40)
    assert np.mean(within) > 0.7
