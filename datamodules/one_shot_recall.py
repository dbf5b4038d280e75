"""One-shot recall (Gemici et al. 2017, section 5.3 and algorithm 1).

Perfect recall of drawn characters. The test shows three characters of each alphabet that are held
out from training (see `sources.characters`): to recall them, a model must represent, after one
look, what it has never seen.
"""

from typing import Any, ClassVar

import numpy as np

from datamodules.perfect_recall import PerfectRecall
from datamodules.sources import CHARACTERS, ImageKind, Source


class OneShotRecall(PerfectRecall):
    """Characters of which the first k are repeated after l steps; tested on unseen characters."""

    images_of: ClassVar[ImageKind] = CHARACTERS

    def __init__(
        self,
        pre_recall_length: int = 20,
        recall_length: int = 5,
        source: Source = "auto",
        **settings: Any,
    ) -> None:
        """Check the settings; no data is touched.

        Args:
            pre_recall_length: l, frames of random characters.
            recall_length: k, how many of them are repeated, at most l.
            source: source of the characters; `auto` is Omniglot if it is on disk or can be
                downloaded, else `glyphs`, letters drawn by simulated hands.
            **settings: of `ScriptedDataModule`.

        Raises:
            ValueError: a setting is out of range.
        """
        super().__init__(pre_recall_length, recall_length, source=source, **settings)

    def data_record(self) -> dict[str, str]:
        """Describe the data in use; `test_characters` lists those held out from training."""
        test = self.dataset("test")
        names = [test.names[number] for number in np.unique(test.labels)]
        return {
            **super().data_record(),
            "test_characters": f"{len(names)} held out: {', '.join(names)}",
        }
