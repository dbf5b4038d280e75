"""MNIST maze: a walk through a grid of digits (Gemici et al. 2017, section 5.6, figure 13).

Every cell of a grid holds one digit. A walker starts in a random cell, moves at random to a
neighbouring cell in every step, and sees the digit of the cell it is in. The moves are known
context; the digit of a cell must be remembered from its last visit.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, TypedDict

import numpy as np
from numpy.typing import NDArray

from datamodules.frames.script import Script, ScriptWriter, recalled_from
from datamodules.frames.scripted import ScriptedDataModule
from datamodules.loading.checks import require_at_least
from datamodules.loading.stages import require_stages

#: Actions; the first step has "none".
MOVES = ("none", "up", "down", "left", "right")


@cache
def exits(grid: int) -> tuple[tuple[tuple[int, int], ...], ...]:
    """Return the possible (move, next cell) pairs from every cell of a square grid."""
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
    # One draw for the start and one per move, each scaled to the number of possibilities.
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


class GridStage(TypedDict):
    """A part of training."""

    batches: int  #: number of batches, each over all devices
    grids: list[int]  #: choices of each sequence's grid


class MNISTMaze(ScriptedDataModule):
    """Random walks through grids of digits; `place` is the cell, `actions` the moves."""

    action_names: ClassVar[tuple[str, ...]] = MOVES
    longer_by: ClassVar[str | None] = "sequence_length"

    def __init__(
        self,
        grid: int = 4,
        sequence_length: int = 25,
        curriculum: list[GridStage] | None = None,
        **settings: Any,
    ) -> None:
        """Check the settings; no data is touched.

        Args:
            grid: rows, and columns, of the maze.
            sequence_length: frames of a walk, the start included.
            curriculum: stages that training begins with, none if empty or null; after them, every
                maze has `grid`. A stage has a number of `batches` and its `grids`: every sequence
                draws its own from these.
            **settings: of `ScriptedDataModule`.

        Raises:
            ValueError: a setting is out of range.
        """
        super().__init__(**settings)
        require_at_least(2, grid=grid, sequence_length=sequence_length)
        require_stages(GridStage, curriculum or ())
        for number, stage in enumerate(curriculum or ()):
            grids = stage["grids"]
            if not grids or min(grids) < 2:
                raise ValueError(
                    f"curriculum[{number}].grids must be grid sizes of at least 2, got {grids}"
                )

    @property
    def sequence_length(self) -> int:
        """Frames T of a walk."""
        return self.hparams["sequence_length"]

    @property
    def grid(self) -> int:
        """Rows, and columns, of the mazes."""
        return self.hparams["grid"]

    def script_writer(self, labels: NDArray[np.int64]) -> ScriptWriter:
        """Return a writer of mazes with these digits."""
        return MazeScript((self.grid,), self.sequence_length, len(labels))

    def stage_writers(self, labels: NDArray[np.int64]) -> list[ScriptWriter]:
        """Return writers of mazes of other sizes."""
        stages: list[GridStage] = self.hparams["curriculum"] or []
        steps, digits = self.sequence_length, len(labels)
        return [MazeScript(tuple(stage["grids"]), steps, digits) for stage in stages]
