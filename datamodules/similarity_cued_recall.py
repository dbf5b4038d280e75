"""Similarity-cued recall (Gemici et al. 2017, section 5.5 and algorithm 4).

Pictures are drawn at random, with replacement, for l steps; then k successive ones of them are
repeated. Which ones is unpredictable, so the first of them is the cue: it cannot be recalled, but
its earlier position determines the other k - 1.

Algorithm 4 draws r uniformly from 1 to l - k, both included, and repeats sequence[r : r + k]. Read
as it stands, counted from 1 and without the step r + k, this starts at any of the first l - k steps
with equal chance and never repeats the last one.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.frames.curriculum import LengthStage, length_writers, require_length_stages
from datamodules.frames.recall import RecallDataModule
from datamodules.frames.script import Script, ScriptWriter, with_recall
from datamodules.loading.checks import require_at_least, require_at_most


@dataclass(frozen=True)
class SimilarityCuedRecallScript:
    """Writes l random pictures, then repeats k successive ones of them."""

    pre_recall_length: int
    recall_length: int
    pictures: int

    def __call__(self, rng: np.random.Generator) -> Script:
        """Write one sequence."""
        shown = rng.integers(self.pictures, size=self.pre_recall_length)
        start = rng.integers(self.pre_recall_length - self.recall_length)
        script = with_recall(shown, answers=start + np.arange(self.recall_length))
        script.recalled_from[self.pre_recall_length] = -1
        return script


@dataclass(frozen=True)
class RehearsalScript:
    """Writes fewer pictures, then cues with their runs until the sequence is full.

    This is for training: with few pictures, reading helps even before it finds the right one.
    """

    pre_recall_length: int
    recall_length: int
    steps: int
    pictures: int

    def __call__(self, rng: np.random.Generator) -> Script:
        """Write one sequence; runs have at most `recall_length` pictures, and at most half."""
        shown = rng.integers(self.pictures, size=self.pre_recall_length)
        run = min(self.recall_length, max(2, self.pre_recall_length // 2))
        recalled = self.steps - self.pre_recall_length
        starts = rng.integers(self.pre_recall_length - run, size=-(-recalled // run))
        answers = (starts[:, None] + np.arange(run)).flatten()[:recalled]
        script = with_recall(shown, answers)
        script.recalled_from[self.pre_recall_length :: run] = -1
        return script


class SimilarityCuedRecall(RecallDataModule):
    """Digits of which k successive ones are repeated after l steps.

    The first of them, the cue, has the place of the step that it repeats, yet `recalled_from` -1.
    """

    def __init__(
        self,
        pre_recall_length: int = 20,
        recall_length: int = 5,
        curriculum: list[LengthStage] | None = None,
        **settings: Any,
    ) -> None:
        """Check the settings; no data is touched.

        Args:
            pre_recall_length: l, frames of random pictures.
            recall_length: k, how many of them are repeated, including the cue; at least 2, below l.
            curriculum: stages that training begins with, none if empty or null; after them, all
                sequences have the test's form. A stage has a number of `batches` and its
                `pre_recall_lengths`, at least 4 each: every sequence draws its l from these, and
                the rest of it is cues and runs.
            **settings: of `ScriptedDataModule`.

        Raises:
            ValueError: a setting is out of range.
        """
        super().__init__(pre_recall_length, recall_length, **settings)
        require_at_least(2, recall_length=recall_length)
        require_at_most(pre_recall_length - 1, recall_length=recall_length)
        require_length_stages(4, pre_recall_length, curriculum)

    @property
    def prefix_length(self) -> int:
        """Number of frames before recall, plus the unpredictable cue."""
        return self.pre_recall_length + 1

    def script_writer(self, labels: NDArray[np.int64]) -> ScriptWriter:
        """Return a writer of sequences of these pictures."""
        return SimilarityCuedRecallScript(self.pre_recall_length, self.recall_length, len(labels))

    def stage_writers(self, labels: NDArray[np.int64]) -> list[ScriptWriter]:
        """Return writers of rehearsals."""
        k, steps, pictures = self.recall_length, self.sequence_length, len(labels)
        return length_writers(
            self.hparams["curriculum"] or [],
            self.pre_recall_length,
            lambda length: RehearsalScript(length, k, steps, pictures),
        )
