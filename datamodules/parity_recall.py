"""Parity recall (Gemici et al. 2017, section 5.2 and algorithm 2).

Digits are drawn at random, with replacement, for l steps. Each of the k steps after them reports
whether one of the first k digits, in their order, is even or odd: it shows a zero or a one, drawn
afresh among all pictures of that digit. One bit per digit must be remembered; which picture of a
zero or one comes is unpredictable.
"""

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from datamodules.frames.classifier import DigitClassifier
from datamodules.frames.recall import RecallDataModule
from datamodules.frames.script import Script, ScriptWriter
from datamodules.loading.checks import require_at_most, require_one_of

Parity = Literal["even", "odd"]


@dataclass(frozen=True)
class ParityRecallScript:
    """Writes l random digits, then k zeros and ones that report the parity of the first k."""

    pre_recall_length: int
    recall_length: int
    labels: NDArray[np.int64]
    zero_means: Parity

    def __call__(self, rng: np.random.Generator) -> Script:
        """Write one sequence."""
        shown = rng.integers(len(self.labels), size=self.pre_recall_length)
        answers = np.arange(self.recall_length)
        reports = (self.labels[shown[answers]] + (self.zero_means == "odd")) % 2
        pictures = [rng.choice(np.flatnonzero(self.labels == report)) for report in reports]
        steps = self.pre_recall_length + self.recall_length
        return Script(
            pictures=np.concatenate([shown, pictures]),
            actions=np.zeros((steps, 0), np.float32),
            recalled_from=np.concatenate([np.full_like(shown, -1), answers]),
            place=np.arange(steps),
        )


class ParityRecall(RecallDataModule):
    """Digits, then zeros and ones; `recalled_from` is the step whose parity is reported."""

    def __init__(
        self,
        pre_recall_length: int = 15,
        recall_length: int = 5,
        zero_means: Parity = "even",
        **settings: Any,
    ) -> None:
        """Check the settings; no data is touched.

        Args:
            pre_recall_length: l, frames of random digits.
            recall_length: k, how many of them have their parity reported, at most l.
            zero_means: parity that a zero stands for: "even", as in the paper's algorithm 2 and
                figure 22, or "odd", as in its section 5.2.
            **settings: of `ScriptedDataModule`.

        Raises:
            ValueError: a setting is out of range.
        """
        super().__init__(pre_recall_length, recall_length, **settings)
        require_at_most(pre_recall_length, recall_length=recall_length)
        require_one_of(get_args(Parity), zero_means=zero_means)

    @property
    def classifier(self) -> DigitClassifier | None:
        """Classifier of zeros, ones and other digits by the training digits; needs `setup`."""
        return self.picture_classifier

    def script_writer(self, labels: NDArray[np.int64]) -> ScriptWriter:
        """Return a writer of sequences of these digits."""
        zero_means = self.hparams["zero_means"]
        return ParityRecallScript(self.pre_recall_length, self.recall_length, labels, zero_means)
