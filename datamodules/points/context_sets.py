"""Draws which points of a function a model sees, and which ones it predicts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datamodules.loading.stages import Stages, rule_at
from datamodules.points.batch import FunctionSequences

Regime = Literal["sparse", "transfer"]


class PointSets(NamedTuple):
    """The point sets of one sequence of T steps; with a dimension B in front, of a batch."""

    contexts: NDArray[np.int64]
    """Context points n of every step, [T]."""
    extras: NDArray[np.int64]
    """Targets m of every step besides its context points, [T]."""
    order: NDArray[np.int64]
    """Distinct points of every step, [T, P]: its context points, then its other targets."""


@dataclass(frozen=True)
class ContextSets:
    """Draws the point sets of a sequence."""

    steps: int
    """Steps T of a sequence."""
    context_steps: int
    """Number of steps with a context: random ones (sparse) or the first ones (transfer)."""
    anywhere: bool
    contexts: tuple[int, int]
    """Fewest and most context points n of a step with a context."""
    most_points: int
    """Most points n + m of a step: m is uniform from 1 to most_points - n."""
    closed: bool = True
    """Whether n and m reach the upper ends of their intervals; in the authors' code they do not."""

    def sizes(self, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Draw how many context points and how many other targets every step has, [T] each."""
        chosen = rng.permutation(self.steps) if self.anywhere else np.arange(self.steps)
        chosen = chosen[: self.context_steps]
        least, most = self.contexts
        contexts = np.zeros(self.steps, np.int64)
        contexts[chosen] = rng.integers(least, max(most + self.closed, least + 1), len(chosen))
        extras = rng.integers(1, np.maximum(self.most_points - contexts + self.closed, 2))
        return contexts, extras

    def order(self, rng: np.random.Generator, points: int) -> NDArray[np.int64]:
        """Draw distinct points for every step, of as many as there are, [T, P]."""
        # The places of the smallest of random numbers are distinct and in random order. Only those
        # are sorted: a picture has many pixels, and most of them are not chosen.
        keys = rng.random((self.steps, points))
        smallest = keys.argpartition(self.most_points - 1, axis=1)[:, : self.most_points]
        ranks = np.take_along_axis(keys, smallest, axis=1).argsort(axis=1)
        return np.take_along_axis(smallest, ranks, axis=1)


@dataclass(frozen=True)
class PointRecipe:
    """Rule by which all sequences of a split choose their points."""

    sets: ContextSets
    everything: bool
    """Targets are all points there are, not those that were drawn."""
    together: int = 1
    """Number of successive sequences of an epoch that share their point sets: sizes and points."""
    stages: Stages[ContextSets] = ()
    """A curriculum: the point sets of sequences before the one with this number."""

    def at(self, episode: int) -> "PointRecipe":
        """Return the recipe of a batch that begins with this sequence."""
        return replace(self, sets=rule_at(self.stages, self.sets, episode), stages=())

    def leader(self, episode: int, size: int) -> int:
        """Return the episode whose point sets this one shares, in epochs of so many sequences."""
        return episode - episode % size % self.together

    def draw(self, rng: np.random.Generator, leader: np.random.Generator, points: int) -> PointSets:
        """Draw the point sets of a sequence, of as many points as there are.

        Args:
            rng: the sequence's own generator.
            leader: the generator of its leader's sequence, fresh.
            points: number of all points, at least `most_points`.
        """
        # What is shared comes from a stream of its own, so that nothing else is.
        (stream,) = leader.spawn(1)
        sizes = self.sets.sizes(stream)
        return PointSets(*sizes, self.sets.order(stream if self.together > 1 else rng, points))


def show(
    recipe: PointRecipe,
    sets: PointSets,
    x: Tensor,
    y: Callable[[Tensor], Tensor],
    task: Tensor,
    episodes: Sequence[int],
) -> FunctionSequences:
    """Make a batch of the chosen points.

    Args:
        recipe: of the batch's split; contexts are padded to the most that it can draw.
        sets: of the batch.
        x: all points in their order, float32 [G, Dx].
        y: maps numbers of points [B, T, K] to the functions there, float32 [B, T, K, Dy].
        task: hidden state of every step, float32 [B, T, P].
        episodes: ids of the sequences, [B].
    """
    contexts, extras, order = (torch.from_numpy(field) for field in sets)
    most = recipe.sets.contexts[1]
    target_x, target_y = x[order], y(order)
    context_mask = _first(contexts, most)
    context = _points(target_x[:, :, :most], target_y[:, :, :most], context_mask)
    if recipe.everything:
        targets = torch.arange(len(x)).expand(*order.shape[:2], -1)
        target_x, target_y = x[targets], y(targets)
        target_mask = torch.ones_like(targets, dtype=torch.bool)
        seen = torch.zeros_like(target_mask).scatter(-1, order[:, :, :most], context_mask)
    else:
        target_mask = _first(contexts + extras, order.shape[-1])
        seen = _first(contexts, order.shape[-1])
    target = _points(target_x, target_y, target_mask)
    return FunctionSequences(*context, *target, seen, task, torch.tensor(episodes))


def _first(counts: Tensor, size: int) -> Tensor:
    """Mark the first places of each row, as many as in counts [...], bool [..., size]."""
    return torch.arange(size) < counts.unsqueeze(-1)


def _points(x: Tensor, y: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return x and y [B, T, K, D], 0 where the mask [B, T, K] is False, and the mask."""
    hidden = ~mask.unsqueeze(-1)
    return x.masked_fill(hidden, 0), y.masked_fill(hidden, 0), mask
