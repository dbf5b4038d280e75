"""Parity recall (Gemici et al. 2017, section 5.2 and algorithm 2).

Digits are drawn at random, with replacement, for l steps. Each of the k steps after them reports
on one of the first k digits, in their order, whether it is even or odd: it shows a zero or a one,
drawn afresh among all pictures of that digit. What must be remembered is one bit per digit; which
zero or one comes cannot be known.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from datamodules.frames.classifier import DigitClassifier
from datamodules.frames.recall import RecallDataModule
from datamodules.frames.script import Script, ScriptWriter
from datamodules.loading.checks import require_at_most, require_one_of
from datamodules.sources import Split

Parity = Literal["even", "odd"]


@dataclass(frozen=True)
class ParityRecallScript:
    """Writes l random digits and k zeros and ones that tell the parity of the first k."""

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
    """Digits, then zeros and ones; `recalled_from` is the step whose parity is told."""

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
            recall_length: k, of how many of them the parity is told, at most l.
            zero_means: what a zero tells of a digit: "even", as in the paper's algorithm 2 and
                figure 22, or "odd", as in its section 5.2.
            **settings: of `SequenceDataModule`.

        Raises:
            ValueError: a setting is out of range.
        """
        super().__init__(pre_recall_length, recall_length, **settings)
        require_at_most("recall_length", recall_length, pre_recall_length)
        require_one_of("zero_means", zero_means, get_args(Parity))

    @cached_property
    def classifier(self) -> DigitClassifier:
        """Tells zeros and ones, and other digits, by the training digits; needs `setup`."""
        digits = self.dataset("train")
        return DigitClassifier(digits.images, digits.labels)

    def script_writer(self, split: Split, labels: NDArray[np.int64]) -> ScriptWriter:
        """Sequences of digits of the split."""
        zero_means = self.hparams["zero_means"]
        return ParityRecallScript(self.pre_recall_length, self.recall_length, labels, zero_means)
