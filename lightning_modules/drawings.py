"""Base class of a family's pictures, which are defined in its ``pictures.py``."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from torch import Tensor

from datamodules.sources import Split
from lightning_modules.declarations import Picture
from lightning_modules.metrics.step_means import Summary

if TYPE_CHECKING:  # slow to import, and not needed unless something is drawn
    from matplotlib.animation import Animation
    from matplotlib.figure import Figure


class Evaluated(NamedTuple):
    """Headings, colour and results shared by all pictures of a model."""

    title: str
    source: str  #: of the data
    colour: str  #: of the model, "#RRGGBB"
    split: Split  #: "val" or "test"
    summary: Summary | None  #: None before the first measurement

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


class Contestant(NamedTuple):
    """A trained model that is compared with others."""

    name: str  #: such as "GTMM (DNC)"
    colour: str  #: "#RRGGBB"
    model: Any


class Drawings(ABC):
    """The pictures of a family's models."""

    #: Everything that ``figures`` may draw, the most telling first.
    pictures: ClassVar[tuple[Picture, ...]]

    @abstractmethod
    def figures(
        self, model: Any, data: Any, shown: Evaluated, sequences: int, seed: int
    ) -> "Iterator[tuple[str, Figure | Animation]]":
        """Yield the names and figures of a fixed set.

        Args:
            model: a model of the family.
            data: the data module that it is measured on, set up.
            shown: the set, headings and results to show.
            sequences: number of sequences in figures that show several.
            seed: the seed of the noise.
        """

    def side_by_side(
        self, models: Sequence[Contestant], data: Any, seed: int
    ) -> "Iterator[tuple[str, Figure]]":
        """Yield names and figures that compare several models on the first test sequence.

        Args:
            models: models of the family, trained on the same benchmark.
            data: the data module that they are tested on, set up.
            seed: the seed of the noise.
        """
        return iter(())

    def film(self, model: Any, data: Any, seed: int) -> dict[str, Tensor] | None:
        """Return the arrays of a film of the memory over the first test sequence, or None.

        Args:
            model: a model of the family.
            data: the data module that it is tested on, set up.
            seed: the seed of the noise.

        Returns:
            The fields of ``records.film_file.Film``, by name.
        """
        return None
