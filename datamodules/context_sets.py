"""Which points of a function a model sees, and which ones it is asked for."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datamodules.function_batch import FunctionSequences

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
    """Steps with a context: as many, anywhere (sparse), or the first ones (transfer)."""
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
        # The places of the smallest of random numbers are distinct and in random order.
        return rng.random((self.steps, points)).argsort(axis=1)[:, : self.most_points]


def show(
    sets: PointSets, most_contexts: int, everything: bool, x: Tensor, y: Tensor, task: Tensor
) -> FunctionSequences:
    """Make a batch of the chosen points.

    Args:
        sets: of the batch.
        most_contexts: N, to which contexts are padded.
        everything: targets are all points in the grid's order, not those of the sets.
        x: the grid, float32 [G, Dx].
        y: the functions on it, float32 [B, T, G, Dy].
        task: hidden state of every step, float32 [B, T, P].
    """
    contexts, extras, order = (torch.from_numpy(field) for field in sets)
    shown = order[:, :, :most_contexts]
    context_mask = _first(contexts, shown.shape[-1])
    if everything:
        targets = torch.arange(len(x)).expand(*order.shape[:2], -1)
        target_mask = torch.ones_like(targets, dtype=torch.bool)
        seen = torch.zeros_like(target_mask).scatter(-1, shown, context_mask)
    else:
        targets = order
        target_mask = _first(contexts + extras, order.shape[-1])
        seen = _first(contexts, order.shape[-1])
    return FunctionSequences(
        *_points(shown, context_mask, x, y), *_points(targets, target_mask, x, y), seen, task
    )


def _first(counts: Tensor, size: int) -> Tensor:
    """True in the first places of each row, as many as counts [...] says, [..., size]."""
    return torch.arange(size) < counts.unsqueeze(-1)


def _points(index: Tensor, mask: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """X and y of the points, 0 where the mask [B, T, K] is False, and the mask."""
    values = y.gather(2, index.unsqueeze(-1).expand(-1, -1, -1, y.shape[-1]))
    hidden = ~mask.unsqueeze(-1)
    return x[index].masked_fill(hidden, 0), values.masked_fill(hidden, 0), mask
