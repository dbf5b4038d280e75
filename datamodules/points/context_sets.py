"""Draws the points of a function that a model sees, and those that it predicts."""

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
    """The point sets of one sequence of T steps, or of a batch, with a leading dimension B."""

    contexts: NDArray[np.int64]
    """Number n of context points of every step, [T]."""
    extras: NDArray[np.int64]
    """Number m of every step's targets besides its context points, [T]."""
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
    """Minimum and maximum number n of context points of a step with a context."""
    most_points: int
    """Maximum number n + m of points of a step: m is uniform from 1 to most_points - n."""
    closed: bool = True
    """Whether n and m reach the upper ends of their intervals; in the authors' code they do not."""

    def sizes(self, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Draw how many context points and how many other targets every step has, [T] each."""
        steps = rng.permutation(self.steps) if self.anywhere else np.arange(self.steps)
        steps = steps[: self.context_steps]
        least, most = self.contexts
        contexts = np.zeros(self.steps, np.int64)
        contexts[steps] = rng.integers(least, max(most + self.closed, least + 1), len(steps))
        extras = rng.integers(1, np.maximum(self.most_points - contexts + self.closed, 2))
        return contexts, extras

    def order(self, rng: np.random.Generator, points: int) -> NDArray[np.int64]:
        """Draw distinct indices of points for every step, [T, P]."""
        # The indices of the smallest random numbers are distinct and in random order. Only those
        # are sorted: most pixels of a picture are not chosen.
        keys = rng.random((self.steps, points))
        smallest = keys.argpartition(self.most_points - 1, axis=1)[:, : self.most_points]
        ranks = np.take_along_axis(keys, smallest, axis=1).argsort(axis=1)
        return np.take_along_axis(smallest, ranks, axis=1)


@dataclass(frozen=True)
class PointRecipe:
    """Rule by which all sequences of a split choose their points."""

    sets: ContextSets
    everything: bool
    """Whether targets are all points instead of those drawn."""
    group_size: int = 1
    """Number of successive sequences of an epoch that share their point sets: sizes and points."""
    stages: Stages[ContextSets] = ()
    """A curriculum: rules for sequences before the one with this number."""

    def at(self, episode: int) -> "PointRecipe":
        """Return the recipe of a batch that begins with this sequence."""
        return replace(self, sets=rule_at(self.stages, self.sets, episode), stages=())

    def leader(self, episode: int, size: int) -> int:
        """Return the episode whose point sets this one shares, in epochs of `size` sequences."""
        return episode - episode % size % self.group_size

    def draw(self, rng: np.random.Generator, leader: np.random.Generator, points: int) -> PointSets:
        """Draw the point sets of a sequence.

        Args:
            rng: the sequence's own generator.
            leader: a fresh generator of its leader's sequence.
            points: number of all points, at least `most_points`.
        """
        # What is shared comes from a separate stream, so that nothing else is.
        (stream,) = leader.spawn(1)
        sizes = self.sets.sizes(stream)
        return PointSets(*sizes, self.sets.order(stream if self.group_size > 1 else rng, points))


def show(
    recipe: PointRecipe,
    sets: PointSets,
    x: Tensor,
    y: Callable[[Tensor], Tensor],
    task: Tensor,
    episodes: Sequence[int],
) -> FunctionSequences:
    """Build a batch of the chosen points.

    Args:
        recipe: the split's recipe; contexts are padded to its maximum.
        sets: the batch's point sets.
        x: locations of all points in order, float32 [G, Dx].
        y: maps indices of points [B, T, K] to function values, float32 [B, T, K, Dy].
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
    """Mark the first counts [...] places of each row, bool [..., size]."""
    return torch.arange(size) < counts.unsqueeze(-1)


def _points(x: Tensor, y: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return x and y [B, T, K, D], 0 where the mask [B, T, K] is False, and the mask."""
    hidden = ~mask.unsqueeze(-1)
    return x.masked_fill(hidden, 0), y.masked_fill(hidden, 0), mask
