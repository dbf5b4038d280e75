"""The maze: legal and uniform walks, actions that lead there, digits that stay."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from datamodules import MNISTMaze
from datamodules.maze import MOVES, GridStage, exits, random_walk

Make = Callable[..., MNISTMaze]
STEPS = {"none": (0, 0), "up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}


def walk(grid: int, steps: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    return random_walk(np.random.default_rng(seed), grid, steps)


@pytest.mark.parametrize("grid", [2, 3, 4, 7])
def test_every_step_is_a_legal_move(grid: int) -> None:
    cells, moves = walk(grid, 4_000)
    assert cells.min() >= 0 and cells.max() < grid * grid
    assert MOVES[moves[0]] == "none" and (moves[1:] > 0).all()
    rows, columns = np.divmod(cells, grid)
    for step, move in enumerate(moves[1:], start=1):
        down, right = STEPS[MOVES[move]]
        assert rows[step] == rows[step - 1] + down
        assert columns[step] == columns[step - 1] + right


def test_moves_are_uniform_over_those_that_stay_inside() -> None:
    grid = 3
    cells, moves = walk(grid, 40_000)
    for cell in range(grid * grid):
        taken = moves[1:][cells[:-1] == cell]
        counts = np.array([(taken == move).sum() for move, _ in exits(grid)[cell]])
        expected = len(taken) / len(counts)
        assert counts.sum() == len(taken)
        assert ((counts - expected) ** 2 / expected).sum() < 16.3, "chi-square, 3 df, 0.1 %"


def test_starts_are_uniform() -> None:
    starts = np.array([walk(4, 2, seed)[0][0] for seed in range(1_600)])
    counts = np.bincount(starts, minlength=16)
    assert ((counts - 100) ** 2 / 100).sum() < 37.7, "chi-square, 15 df, 0.1 %"


def test_batches_have_the_promised_form(make_maze: Make, source: str, real_data: Path) -> None:
    maze = make_maze(source=source, data_dir=str(real_data), batch_size=6)
    batch = next(iter(maze.train_dataloader()))
    assert maze.frame_shape == (1, 28, 28) and maze.action_size == 5
    assert batch.frames.shape == (6, 25, 1, 28, 28) and batch.frames.dtype == torch.float32
    assert batch.actions.shape == (6, 25, 5) and batch.actions.dtype == torch.float32
    for field in (batch.recalled_from, batch.place, batch.labels):
        assert field.shape == (6, 25) and field.dtype == torch.int64
    assert batch.frames.min() == 0 and batch.frames.max() == 1
    assert batch.labels.min() >= 0 and batch.labels.max() <= 9
    assert maze.data_record()["source"] == source


def test_actions_lead_from_the_start_to_every_place(make_maze: Make) -> None:
    batch = next(iter(make_maze(batch_size=24).train_dataloader()))
    assert (batch.actions.sum(-1) == 1).all() and (batch.actions[:, 0, 0] == 1).all()
    shifts = torch.tensor([STEPS[name] for name in MOVES])[batch.actions.argmax(-1)]
    start = torch.stack((batch.place[:, 0] // 4, batch.place[:, 0] % 4), dim=-1)
    position = start[:, None] + shifts.cumsum(1)
    assert torch.equal(position[..., 0] * 4 + position[..., 1], batch.place)


def test_a_revisited_cell_shows_the_same_digit_bit_for_bit(make_maze: Make) -> None:
    batch = next(iter(make_maze(batch_size=24).train_dataloader()))
    again = batch.recalled_from >= 0
    assert 0.2 < again.float().mean() < 0.9
    sequence = torch.arange(24)[:, None].expand_as(again)[again]
    earlier = batch.recalled_from[again]
    assert torch.equal(batch.frames[again], batch.frames[sequence, earlier])
    assert torch.equal(batch.labels[again], batch.labels[sequence, earlier])
    assert torch.equal(batch.place[again], batch.place[sequence, earlier])


def test_cells_of_a_maze_differ_and_labels_name_them(make_maze: Make) -> None:
    maze = make_maze()
    digits = {
        image.numpy().tobytes(): int(label)
        for image, label in zip(maze.dataset("val").images, maze.dataset("val").labels, strict=True)
    }
    item = maze.dataset("val")[0]
    shown = [(frame * 255).byte().numpy().tobytes() for frame in item.frames]
    assert [digits[image] for image in shown] == item.labels.tolist()
    assert len(set(shown)) > 5


def test_a_stage_draws_the_grid_of_every_sequence(make_maze: Make) -> None:
    stage = {"batches": 60, "grids": [2, 6]}
    mixed = make_maze(curriculum=[stage], batch_size=1, train_size=60)
    places = torch.stack([mixed.dataset("train")[episode].place for episode in range(60)])
    small = places.max(dim=1).values < 4
    assert 10 < small.sum() < 50 and places.max() > 15
    assert mixed.dataset("val")[3].place.max() < 16


def test_it_says_how_large_it_is_and_that_its_actions_are_moves() -> None:
    stage: GridStage = {"batches": 1, "grids": [2]}
    assert (MNISTMaze().grid, MNISTMaze(grid=7, curriculum=[stage]).grid) == (4, 7)
    assert MNISTMaze().action_names == ("none", "up", "down", "left", "right")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"grid": 1}, "grid must be at least 2, got 1"),
        ({"sequence_length": 1}, "sequence_length must be at least 2, got 1"),
        (
            {"curriculum": [{"batches": 1, "grids": []}]},
            "curriculum[0].grids must be grid sizes of at least 2, got []",
        ),
        (
            {"curriculum": [{"batches": 1, "grids": [3]}, {"batches": 1, "grids": [4, 1]}]},
            "curriculum[1].grids must be grid sizes of at least 2, got [4, 1]",
        ),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(ValueError) as error:
        MNISTMaze(**settings)
    assert str(error.value) == message


def test_exits_are_symmetric() -> None:
    for grid in (2, 5):
        ways = {(cell, to) for cell, out in enumerate(exits(grid)) for _, to in out}
        assert ways == {(to, cell) for cell, to in ways}
        assert len(ways) == 4 * grid * (grid - 1)
    assert all(len(set(pair)) == 2 for pair in pairwise(walk(4, 50)[0]))
