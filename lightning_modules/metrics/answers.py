"""Earlier steps that hold the answer to a step."""

import torch
from torch import Tensor

from datamodules.frames.batch import FrameSequences

#: An answer is old if its content was last seen at least this many steps before.
OLD_AGE = 5


def answers(batch: FrameSequences) -> Tensor:
    """Return whether step s < t shows the place that answers step t, [B, T, T] indexed by t, s.

    In a maze every earlier visit of the cell does, in dynamic dependency every earlier showing of
    the picture.
    """
    # -1 (no answer) becomes a valid index; such steps are masked out below.
    answer_place = batch.place.gather(1, batch.recalled_from.clamp(min=0))
    same = answer_place.unsqueeze(2) == batch.place.unsqueeze(1)
    return (same & (batch.recalled_from >= 0).unsqueeze(2)).tril(-1)


def has_old_answer(batch: FrameSequences) -> Tensor:
    """Return which steps have an answer at least ``OLD_AGE`` steps old, [B, T] bool."""
    return age_of_answer(batch) >= OLD_AGE


def age_of_answer(batch: FrameSequences) -> Tensor:
    """Count the steps since the answer was last seen, [B, T]; 0 where there is none."""
    steps = torch.arange(batch.place.shape[1], device=batch.place.device)
    ages = steps.unsqueeze(1) - steps
    holds_answer = answers(batch)
    youngest = ages.expand_as(holds_answer).masked_fill(~holds_answer, len(steps)).amin(2)
    return youngest.masked_fill(batch.recalled_from < 0, 0)
