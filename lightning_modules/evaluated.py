"""A model as it was measured on a fixed set: the subject of its pictures."""

from typing import NamedTuple

from datamodules.sources import Split
from lightning_modules.metrics.step_means import Summary


class Evaluated(NamedTuple):
    """Headings, colour and numbers that all pictures of the model share."""

    title: str
    source: str  #: of the data
    colour: str  #: of the model, "#RRGGBB"
    split: Split  #: "val" or "test"
    summary: Summary | None  #: None before it was measured

    @property
    def whole_set(self) -> str:
        """The set in words, such as "Test set, mnist"."""
        return f"{self._word.capitalize()} set, {self.source}"

    @property
    def first_sequence(self) -> str:
        """The set's first sequence in words, such as "First test sequence, mnist"."""
        return f"First {self._word} sequence, {self.source}"

    @property
    def _word(self) -> str:
        return "test" if self.split == "test" else "validation"
