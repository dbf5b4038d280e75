"""Base class of a family's measures, which are defined in its ``measures.py``."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from lightning_modules.declarations import Family
from lightning_modules.metrics.step_means import Measurement, StepSums, Summary
from lightning_modules.probes import Probes


class Measures(ABC):
    """Measures of a family's models: declared, computed batch by batch, and averaged."""

    family: ClassVar[Family]
    probes: ClassVar[Probes]

    @abstractmethod
    def measure(self, model: Any, batch: Any) -> Mapping[str, Measurement]:
        """Measure a batch of the validation or test set.

        Args:
            model: a model of the family, attached to a trainer.
            batch: B sequences.

        Returns:
            [B, T] values by name, for the measures that the family declares as ``gathered``.
        """

    @abstractmethod
    def summarise(self, model: Any, sums: Mapping[str, StepSums]) -> Summary:
        """Average over sequences, and derive the measures that are not gathered.

        Args:
            model: the model that was measured.
            sums: sums over all batches and devices, by name.
        """
