"""Films as sequences: every epoch has all of them, and what poses mean."""

import pickle

import numpy as np
import pytest
import torch

from datamodules import LoopClosure, Rotation
from datamodules.rooms.cache import SHARD, film_type
from datamodules.rooms.camera import TURN
from datamodules.rooms.dataset import FilmDataset

FILMS = SHARD + 20


@pytest.fixture
def dataset() -> FilmDataset:
    """Films of one pixel's size, whose first pose is their number."""
    films = np.zeros(FILMS, film_type(30, 1))
    films["poses"][:, :, 0] = np.arange(FILMS)[:, None]
    films["poses"][:, :, 2] = np.arange(30) * 4_000
    films["frames"][..., 0, 0] = np.arange(FILMS)[:, None, None] % 256
    return FilmDataset(films, "rotation", 30, Rotation().views, seed=3, split="train", size=FILMS)


def numbers(dataset: FilmDataset, epoch: int) -> list[int]:
    episodes = range(epoch * FILMS, (epoch + 1) * FILMS)
    return [int(dataset._film(episode)["poses"][0, 0]) for episode in episodes]


def test_each_epoch_has_all_films_in_an_order_of_its_own(dataset: FilmDataset) -> None:
    orders = [numbers(dataset, epoch) for epoch in range(3)]
    assert orders[0] == [*range(FILMS)]
    assert all(sorted(order) == orders[0] for order in orders)
    assert orders[1] != orders[0] and orders[2] != orders[1]
    assert numbers(dataset, 1) == orders[1]


def test_frames_are_intensities_in_the_unit_interval(dataset: FilmDataset) -> None:
    batch = dataset.__getitems__([5, SHARD + 5])
    assert batch.frames.shape == (2, 30, 3, 1, 1) and batch.frames.dtype == torch.float32
    assert batch.frames[:, 0, 0, 0, 0].tolist() == pytest.approx([5 / 255, 205 / 255])
    assert batch.episode.tolist() == [5, SHARD + 5] and batch.actions.shape == (2, 30, 0)


@pytest.mark.parametrize("direction", [1, -1])
def test_what_comes_after_a_whole_turn_was_seen_before(direction: int) -> None:
    """Turns of 4,000 units: 17 steps for 65,536, so step 17 shows what step 1 did, 2,464 before."""
    poses = np.zeros((1, 30, 3), np.int64)
    poses[..., 2] = (50_000 + direction * 4_000 * np.arange(30)) % TURN
    actions, recalled_from, place = Rotation(angle_given=True).views(poses)
    assert recalled_from[0, :17].tolist() == [-1] * 17
    # Step t is 4,000 t - 65,536 further than step 0: 17 is at 2,464, so 1 (at 4,000) is nearer.
    assert recalled_from[0, 17:].tolist() == [*range(1, 14)]
    assert place[0].tolist() == [*range(17), *range(1, 14)]
    angle = 2 * np.pi * 4_000 / TURN * np.arange(30)
    assert actions[0, :, 0] == pytest.approx(direction * np.sin(angle), abs=1e-6)
    assert actions[0, :, 1] == pytest.approx(np.cos(angle), abs=1e-6)


def test_moves_are_in_the_cameras_own_frame() -> None:
    """Facing north, a step to the east is one to the right; back again, it is one to the left."""
    north = TURN // 4
    there = [(100, 100, north), (132, 100, north), (132, 164, north + TURN // 8)]
    poses = np.array([there + there[::-1]])
    data = LoopClosure(sequence_length=6)
    actions, recalled_from, place = data.views(poses)
    eighth = np.pi / 4
    expected = [
        (0, 0, 0),
        (0, -1, 0),
        (2, 0, eighth),
        (0, 0, 0),
        (-2 * np.cos(eighth), 2 * np.sin(eighth), -eighth),
        (0, 1, 0),
    ]
    assert actions[0] == pytest.approx(np.array(expected), abs=1e-6)
    assert recalled_from[0].tolist() == [-1, -1, -1, 2, 1, 0]
    assert place[0].tolist() == [0, 1, 2, 2, 1, 0]


def test_sizes_are_known_before_anything_is_rendered() -> None:
    rotation, closure = Rotation(data_dir="nowhere"), LoopClosure(data_dir="nowhere")
    assert (rotation.sequence_length, rotation.action_size, rotation.prefix_length) == (30, 0, 15)
    assert (closure.sequence_length, closure.action_size, closure.prefix_length) == (40, 3, 20)
    assert rotation.frame_shape == closure.frame_shape == (3, 32, 32)
    with pytest.raises(ValueError, match="sequence_length must be even, got 41"):
        LoopClosure(sequence_length=41)


@pytest.mark.parametrize("kind", [Rotation, LoopClosure])
def test_data_workers_get_little(kind: type) -> None:
    assert len(pickle.dumps(kind().views)) < 500
