"""A run as the page sees it."""

from collections.abc import Mapping
from math import nan
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from lightning_modules.pictures.looks import BASELINES
from lightning_modules.records.metrics_file import History
from lightning_modules.records.readings import Reading
from lightning_modules.records.results_file import RunResults


class RunRecord(NamedTuple):
    """What is known of one run; it was tested, or validated, or both."""

    folder: Path
    model: str
    memory: str | None  #: class of the memory core
    seed: int | None
    reading: Reading  #: of its family
    settings: Mapping[str, Any]  #: all, by the keys of the command line
    tested: RunResults | None
    history: History | None
    facts: Mapping[str, Any]  #: parameters, revision, ...: what is no setting

    @property
    def name(self) -> str:
        """The folder of the experiment and the run's own."""
        return "/".join(self.folder.absolute().parts[-2:])

    @property
    def core(self) -> str:
        """What the filter calls it: the memory core, or the baseline that bears none."""
        return self.model if self.model in BASELINES else self.memory or self.model

    @property
    def training_steps(self) -> int:
        """Behind the numbers that are shown."""
        if self.tested is not None:
            return self.tested.training_steps
        assert self.history is not None
        return int(self.history.steps[-1]) + 1

    def of(self, part: str) -> dict[str, Any]:
        """Settings of the model or of the data."""
        inside = f"{part}."
        return {k: v for k, v in self.settings.items() if k == part or k.startswith(inside)}

    def scalar(self, name: str) -> float:
        """What the test found, else what the last validation found; NaN if neither did."""
        if self.tested is not None:
            return self.tested.scalars.get(name, nan)
        assert self.history is not None
        return self.history.last(name)

    def curve(self, name: str) -> Tensor | None:
        """Step by step, of the test, else of the last validation; None if it is not known."""
        if self.tested is not None:
            known = {self.reading.curve: self.tested.curve, "kl": self.tested.kl}
            return known.get(name)
        assert self.history is not None
        return self.history.curve if self.history.curve_name == name else None
