"""What pictures are drawn of: a model, and the fixed set that it was measured on."""

from typing import NamedTuple

from datamodules.benchmark import BenchmarkDataModule
from datamodules.sources import Split
from lightning_modules.metrics import Summary
from lightning_modules.names import title_of
from lightning_modules.pictures.looks import colour_of
from lightning_modules.sequence_model import SequenceModel


class Evaluated(NamedTuple):
    """What headings and lines of all its pictures share."""

    title: str
    source: str
    colour: str
    split: Split  #: "val" or "test"
    summary: Summary | None  #: None before it was measured

    @property
    def whole_set(self) -> str:
        """Such as "Test set, mnist"."""
        return f"{self._word.capitalize()} set, {self.source}"

    @property
    def first_sequence(self) -> str:
        """Such as "First test sequence, mnist"."""
        return f"First {self._word} sequence, {self.source}"

    @property
    def _word(self) -> str:
        return "test" if self.split == "test" else "validation"


def evaluated(
    data: BenchmarkDataModule, model: SequenceModel, split: Split, step: int | None
) -> Evaluated:
    """Gather it.

    Args:
        data: that the model is measured on, set up.
        model: with the summary of its last validation or test.
        split: "val" or "test".
        step: of training, None where it is not known.
    """
    summary = model.test_summary if split == "test" else model.validation_summary
    source = data.data_record()["source"]
    return Evaluated(title_of(data, model, step), source, colour_of(model), split, summary)
