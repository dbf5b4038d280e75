"""Perfect recall (Gemici et al. 2017, section 5.1 and algorithm 1).

Pictures are drawn at random, with replacement, for l steps; then the first k of them are shown
again in their order. The l - k pictures in between are there to distract.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.frames.recall import RecallDataModule
from datamodules.frames.script import Script, ScriptWriter, with_recall
from datamodules.loading.checks import require_at_most


@dataclass(frozen=True)
class PerfectRecallScript:
    """Writes l random pictures, then repeats the first k of them."""

    pre_recall_length: int
    recall_length: int
    pictures: int

    def __call__(self, rng: np.random.Generator) -> Script:
        """Write one sequence."""
        shown = rng.integers(self.pictures, size=self.pre_recall_length)
        return with_recall(shown, answers=np.arange(self.recall_length))


class PerfectRecall(RecallDataModule):
    """Digits of which the first k are repeated after l steps."""

    def __init__(
        self, pre_recall_length: int = 10, recall_length: int = 5, **settings: Any
    ) -> None:
        """Check the settings; no data is touched.

        Args:
            pre_recall_length: l, frames of random pictures.
            recall_length: k, how many of them are repeated, at most l.
            **settings: of `ScriptedDataModule`.

        Raises:
            ValueError: a setting is out of range.
        """
        super().__init__(pre_recall_length, recall_length, **settings)
        require_at_most(pre_recall_length, recall_length=recall_length)

    def script_writer(self, labels: NDArray[np.int64]) -> ScriptWriter:
        """Return a writer of sequences of these pictures."""
        return PerfectRecallScript(self.pre_recall_length, self.recall_length, len(labels))
