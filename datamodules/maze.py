"""MNIST maze: a walk through a grid of digits (Gemici et al. 2017, section 5.6, figure 13).

Every cell of a grid holds one digit. A walker starts in a random cell, moves at random to a
neighbouring cell in every step, and sees the digit of the cell it is in. The moves are known
context; what a cell shows must be remembered from its last visit.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.frames.benchmark import SequenceDataModule
from datamodules.frames.script import Script, ScriptWriter, recalled_from
from datamodules.loading.checks import require_at_least
from datamodules.sources import Split

MOVES = ("none", "up", "down", "left", "right")


@cache
def exits(grid: int) -> tuple[tuple[tuple[int, int], ...], ...]:
    """For every cell of the grid, its possible (move, next cell)."""
    return tuple(_exits_of(*divmod(cell, grid), grid) for cell in range(grid * grid))


def _exits_of(row: int, column: int, grid: int) -> tuple[tuple[int, int], ...]:
    neighbours = (
        (MOVES.index("up"), row - 1, column),
        (MOVES.index("down"), row + 1, column),
        (MOVES.index("left"), row, column - 1),
        (MOVES.index("right"), row, column + 1),
    )
    return tuple(
        (move, to_row * grid + to_column)
        for move, to_row, to_column in neighbours
        if 0 <= to_row < grid and 0 <= to_column < grid
    )


def random_walk(
    rng: np.random.Generator, grid: int, steps: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Walk from a uniform start; every step is uniform over the moves that stay inside.

    Args:
        rng: source of the start and of the steps.
        grid: rows, and columns, at least 2.
        steps: frames T, the start included.

    Returns:
        cells: [T], row * grid + column.
        moves: [T], index into `MOVES` of the move into each cell; "none" at the start.
    """
    draws = rng.random(steps).tolist()
    cells, moves = [int(draws[0] * grid * grid)], [MOVES.index("none")]
    for draw in draws[1:]:
        choices = exits(grid)[cells[-1]]
        move, cell = choices[int(draw * len(choices))]
        cells.append(cell)
        moves.append(move)
    return np.array(cells), np.array(moves)


@dataclass(frozen=True)
class MazeScript:
    """Writes mazes: each draws its grid size, its digits (with replacement) and its walk."""

    grids: tuple[int, ...]
    steps: int
    pictures: int

    def __call__(self, rng: np.random.Generator) -> Script:
        """Write one maze and one walk through it."""
        grid = self.grids[rng.integers(len(self.grids))]
        shown = rng.integers(self.pictures, size=grid * grid)
        cells, moves = random_walk(rng, grid, self.steps)
        actions = np.eye(len(MOVES), dtype=np.float32)[moves]
        return Script(shown[cells], actions, recalled_from(cells), place=cells)


class MNISTMaze(SequenceDataModule):
    """Random walks through grids of digits; `place` is the cell, `actions` the moves."""

    def __init__(
        self,
        grid: int = 4,
        sequence_length: int = 25,
        train_grids: list[int] | None = None,
        **settings: Any,
    ) -> None:
        """Check the settings; no data is touched.

        Args:
            grid: rows, and columns, of the maze.
            sequence_length: frames of a walk, the start included.
            train_grids: curriculum; every training sequence draws its grid from this list
                (null: always `grid`). Validation and test use `grid`.
            **settings: of `SequenceDataModule`.

        Raises:
            ValueError: a setting is out of range.
        """
        super().__init__(**settings)
        require_at_least("grid", grid, 2)
        require_at_least("sequence_length", sequence_length, 2)
        if train_grids is not None and (not train_grids or min(train_grids) < 2):
            raise ValueError(f"train_grids must be null or grids of at least 2, got {train_grids}")

    @property
    def sequence_length(self) -> int:
        """Frames T of a walk."""
        return self.hparams["sequence_length"]

    @property
    def action_size(self) -> int:
        """No move, up, down, left, right."""
        return len(MOVES)

    @property
    def action_names(self) -> tuple[str, ...]:
        """The moves."""
        return MOVES

    @property
    def grid(self) -> int:
        """Rows, and columns, of the maze."""
        return self.hparams["grid"]

    def script_writer(self, split: Split, labels: NDArray[np.int64]) -> ScriptWriter:
        """Mazes of digits of the split; only training follows the curriculum."""
        curriculum = self.hparams["train_grids"] if split == "train" else None
        grids = tuple(curriculum or [self.hparams["grid"]])
        return MazeScript(grids, self.sequence_length, len(labels))
