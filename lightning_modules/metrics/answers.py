"""Earlier steps that hold the answer to a step."""

import torch
from torch import Tensor

from datamodules.frames.batch import FrameSequences

#: An answer is old if its content was last seen at least this many steps before.
OLD_AGE = 5


def answers(batch: FrameSequences) -> Tensor:
    """Tell whether step s < t shows the place that holds the answer to step t, [B, T, T] by t, s.

    In a maze every earlier visit of the cell does, in dynamic dependency every earlier showing of
    the picture.
    """
    # -1 (no answer) becomes 0 only to be a valid index; such steps are masked out below.
    asked = batch.place.gather(1, batch.recalled_from.clamp(min=0))
    same = asked.unsqueeze(2) == batch.place.unsqueeze(1)
    return (same & (batch.recalled_from >= 0).unsqueeze(2)).tril(-1)


def has_old_answer(batch: FrameSequences) -> Tensor:
    """Tell which steps have an answer that is ``OLD_AGE`` steps old, or older, [B, T]."""
    return age_of_answer(batch) >= OLD_AGE


def age_of_answer(batch: FrameSequences) -> Tensor:
    """Count the steps since the answer was last seen, [B, T]; 0 where there is none."""
    steps = torch.arange(batch.place.shape[1], device=batch.place.device)
    ages = steps.unsqueeze(1) - steps
    holds_answer = answers(batch)
    youngest = ages.expand_as(holds_answer).masked_fill(~holds_answer, len(steps)).amin(2)
    return youngest.masked_fill(batch.recalled_from < 0, 0)
