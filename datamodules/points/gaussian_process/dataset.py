"""Sequences of drifting functions, generated a batch at a time."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datamodules.loading.episodes import EpisodeDataset
from datamodules.points.batch import FunctionSequences
from datamodules.points.context_sets import PointRecipe, PointSets, show
from datamodules.points.gaussian_process.draws import draw_functions, grid
from datamodules.points.gaussian_process.kernel_drift import KernelDrift, reflect, reflected
from datamodules.sources import Split


@dataclass(frozen=True)
class Recipe:
    """Everything that a split's sequences have in common."""

    drift: KernelDrift
    points: PointRecipe
    grid: int
    """Number G of grid points."""


class FunctionDataset(EpisodeDataset[FunctionSequences]):
    """Functions from Gaussian processes whose kernels drift, seen at a few points.

    The functions of a fixed split are cached: they are by far the most expensive part.
    """

    def __init__(self, recipe: Recipe, seed: int, split: Split, size: int) -> None:
        """Store the recipe; `size` is the number of sequences in an epoch."""
        super().__init__(seed, split, size)
        self.recipe = recipe
        self._cache: dict[int, Tensor] = {}

    def __getitems__(self, episodes: Sequence[int]) -> FunctionSequences:
        """Generate the batch of the sequences with these ids."""
        points = self.recipe.points.at(episodes[0])
        kernels, white, sets = self._drawn(episodes, points)
        y = self._functions(episodes, kernels, white)
        x = grid(self.recipe.grid).unsqueeze(-1)

        def values(index: Tensor) -> Tensor:
            return y.gather(2, index).unsqueeze(-1)

        return show(points, sets, x, values, kernels, episodes)

    def origins(self, episodes: Sequence[int]) -> tuple[Tensor, ...]:
        """Return kernels, white vectors and point sets: processors round functions differently."""
        kernels, white, sets = self._drawn(episodes, self.recipe.points.at(episodes[0]))
        return kernels, white, *(torch.from_numpy(field) for field in sets)

    def reflected_share(self) -> float:
        """Return the share of epoch 0's sequences whose kernel touches the floor."""
        steps = self.recipe.points.sets.steps
        free = [self.recipe.drift.free_paths(self.rng(e), 1, steps) for e in range(len(self))]
        return float(reflected(np.concatenate(free)).mean())

    def _drawn(
        self, episodes: Sequence[int], points: PointRecipe
    ) -> tuple[Tensor, Tensor, PointSets]:
        """Draw kernels float32 [B, T, 2], white vectors float64 [B, G] and point sets."""
        drawn = [self._draw(episode, points) for episode in episodes]
        free, white, *sets = (np.stack(parts) for parts in zip(*drawn, strict=True))
        # In float32, as in `task`, so that the kernels in a batch are exact.
        kernels = torch.from_numpy(reflect(free)).float()
        return kernels, torch.from_numpy(white), PointSets(*sets)

    def _draw(self, episode: int, points: PointRecipe) -> tuple[NDArray, ...]:
        """Draw a kernel's path, a white vector, sizes of contexts and extras, order of points."""
        recipe, rng = self.recipe, self.rng(episode)
        free = recipe.drift.free_paths(rng, 1, points.sets.steps)[0]
        white = rng.standard_normal(recipe.grid)
        leader = self.rng(points.leader(episode, self.size))
        return free, white, *points.draw(rng, leader, recipe.grid)

    def _functions(self, episodes: Sequence[int], kernels: Tensor, white: Tensor) -> Tensor:
        """Return the functions on the grid, float32 [B, T, G], computed or cached."""
        if self.split == "train":
            return draw_functions(kernels, white).float()
        new = [row for row, episode in enumerate(episodes) if episode not in self._cache]
        if new:
            values = draw_functions(kernels[new], white[new]).float()
            self._cache |= {episodes[row]: value for row, value in zip(new, values, strict=True)}
        return torch.stack([self._cache[episode] for episode in episodes])
