"""Sequences of canvases on which a picture moves, generated a batch at a time."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datamodules.loading.episodes import EpisodeDataset
from datamodules.points.batch import FunctionSequences
from datamodules.points.canvas.bouncing import Bouncing
from datamodules.points.canvas.canvas import place, places, values_at
from datamodules.points.canvas.patches import patches_at
from datamodules.points.context_sets import PointRecipe, PointSets, show
from datamodules.sources import Split


@dataclass(frozen=True)
class MovingRecipe:
    """Everything that a split's sequences have in common."""

    motion: Bouncing
    points: PointRecipe
    side: int
    """Rows, and columns, of the canvas."""
    free: int
    """Intensity of the background, from 0 (black) to 255."""
    patch: int = 1
    """Rows, and columns, of the patches that are points."""

    @property
    def line(self) -> int:
        """Points in a row, or column, of the canvas."""
        return self.side - self.patch + 1


class MovingPictureDataset(EpisodeDataset[FunctionSequences]):
    """One picture of the split per sequence, seen at a few pixels, or patches, of each step.

    A picture is drawn at the whole pixels nearest to its path; `task` is the location of its centre
    as drawn, halfway between two pixels if its side is even.
    """

    def __init__(
        self,
        recipe: MovingRecipe,
        pictures: NDArray[np.uint8],
        seed: int,
        split: Split,
        size: int,
    ) -> None:
        """Store recipe and pictures [N, S, S, C]; `size` is the number of sequences in an epoch."""
        super().__init__(seed, split, size)
        self.recipe, self.pictures = recipe, pictures

    def __getitems__(self, episodes: Sequence[int]) -> FunctionSequences:
        """Generate the batch of the sequences with these ids."""
        side, patch, free = self.recipe.side, self.recipe.patch, self.recipe.free
        points = self.recipe.points.at(episodes[0])
        drawn = [self._draw(episode, points) for episode in episodes]
        numbers, paths, *sets = (np.stack(parts) for parts in zip(*drawn, strict=True))
        pictures = torch.from_numpy(self.pictures[numbers])
        corners = torch.from_numpy(np.rint(paths).astype(np.int64))

        def values(index: Tensor) -> Tensor:
            if patch > 1:
                return patches_at(index, pictures, corners, side, patch, free)
            return values_at(index, pictures, corners, side, free)

        centres = place(corners + (pictures.shape[1] - 1) / 2, side)
        return show(points, PointSets(*sets), places(self.recipe.line), values, centres, episodes)

    def tiled(self, episode: int) -> FunctionSequences:
        """Generate one sequence whose targets are patches that cover the canvas, row by row.

        Patches must fit the canvas; no target counts as seen.
        """
        side, patch, line = self.recipe.side, self.recipe.patch, self.recipe.line
        first = torch.arange(0, side, patch)
        tiles = (first.unsqueeze(1) * line + first).flatten()
        sequence = self[episode]
        number, path, *_ = self._draw(episode, self.recipe.points.at(episode))
        pictures = torch.from_numpy(self.pictures[number][None])
        corners = torch.from_numpy(np.rint(path).astype(np.int64))[None]
        index = tiles.expand(1, len(path), -1)
        mask = torch.ones_like(index[0], dtype=torch.bool)
        return sequence._replace(
            target_x=places(line)[index[0]],
            target_y=patches_at(index, pictures, corners, side, patch, self.recipe.free)[0],
            target_mask=mask,
            target_seen=torch.zeros_like(mask),
        )

    def _draw(self, episode: int, points: PointRecipe) -> tuple[NDArray, ...]:
        """Draw a picture's number, its path, sizes of contexts and extras, and order of pixels."""
        recipe, rng = self.recipe, self.rng(episode)
        number = rng.integers(len(self.pictures))
        path = recipe.motion.path(rng, points.sets.steps)
        leader = self.rng(points.leader(episode, self.size))
        return np.array(number), path, *points.draw(rng, leader, recipe.line**2)
