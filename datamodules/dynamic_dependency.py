"""Dynamic dependency (Gemici et al. 2017, section 5.4 and algorithm 3).

Digits are drawn at random, with replacement, for l steps. In each of the k steps after them the
digit of the step before is an address, counted from 0: the picture of that step is repeated. After
an 8 comes the picture of step 8; if that is a 3, the picture of step 3 comes next, and so on.
Algorithm 3 looks up the label of a step that was itself recalled, so labels are recalled along with
their pictures.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.frames.curriculum import LengthStage, length_writers, require_length_stages
from datamodules.frames.recall import RecallDataModule
from datamodules.frames.script import Script, ScriptWriter, with_recall
from datamodules.loading.checks import require_at_least

DIGITS = 10


@dataclass(frozen=True)
class DynamicDependencyScript:
    """Writes l random digits, then follows k references from the last of them."""

    pre_recall_length: int
    recall_length: int
    labels: NDArray[np.int64]

    def __call__(self, rng: np.random.Generator) -> Script:
        """Write one sequence."""
        shown = rng.integers(len(self.labels), size=self.pre_recall_length)
        references = self.labels[shown]
        answers = [references[-1]]
        while len(answers) < self.recall_length:
            answers.append(references[answers[-1]])
        return with_recall(shown, np.array(answers))


@dataclass(frozen=True)
class QuestionsScript:
    """Writes l digits below l and, until the sequence is full, questions with 1 to k answers each.

    A question is a new digit. This is for training: with few addresses, reading helps even before
    it finds the right one.
    """

    pre_recall_length: int
    recall_length: int
    steps: int
    labels: NDArray[np.int64]

    def __call__(self, rng: np.random.Generator) -> Script:
        """Write one sequence; the first question is the last of the l digits."""
        digits = np.flatnonzero(self.labels < self.pre_recall_length)
        new = digits[rng.integers(len(digits), size=self.steps)]
        place = np.arange(self.steps)
        step = self.pre_recall_length
        while step < self.steps:
            last = min(step + int(rng.integers(1, self.recall_length + 1)), self.steps)
            for answer in range(step, last):
                place[answer] = self.labels[new[place[answer - 1]]]
            step = last + 1
        recalled = place < np.arange(self.steps)
        actions = np.zeros((self.steps, 0), np.float32)
        return Script(new[place], actions, np.where(recalled, place, -1), place)


class DynamicDependency(RecallDataModule):
    """Random digits, after which each digit determines which of them comes next.

    `recalled_from` is the step of the address, even if a later step has already repeated it.
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
            pre_recall_length: l, frames of random digits; at least 10, so that every digit is an
                address.
            recall_length: k, references that are followed.
            curriculum: stages that training begins with, none if empty or null; after them, all
                sequences have the test's form. A stage has a number of `batches` and its
                `pre_recall_lengths`, at least 2 each: every sequence draws its l from these, shows
                digits below l only, and fills the rest with questions, each a new digit and 1 to k
                references from it.
            **settings: of `ScriptedDataModule`.

        Raises:
            ValueError: a setting is out of range.
        """
        super().__init__(pre_recall_length, recall_length, **settings)
        require_at_least(DIGITS, pre_recall_length=pre_recall_length)
        require_length_stages(2, pre_recall_length, curriculum)

    def script_writer(self, labels: NDArray[np.int64]) -> ScriptWriter:
        """Return a writer of sequences of these digits."""
        return DynamicDependencyScript(self.pre_recall_length, self.recall_length, labels)

    def stage_writers(self, labels: NDArray[np.int64]) -> list[ScriptWriter]:
        """Return writers of few digits and many questions."""
        k, steps = self.recall_length, self.sequence_length
        return length_writers(
            self.hparams["curriculum"] or [],
            self.pre_recall_length,
            lambda length: QuestionsScript(length, k, steps, labels),
        )
