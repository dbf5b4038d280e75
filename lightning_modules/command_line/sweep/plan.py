"""Plans the runs of a sweep: their settings and their common folder."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from lightning_modules.command_line.blueprint import Blueprint
from lightning_modules.command_line.sweep.parameter import examples
from lightning_modules.command_line.sweep.run_names import run_name
from lightning_modules.command_line.sweep.study import Proposal
from lightning_modules.command_line.sweep.sweep_file import SweepFile
from lightning_modules.command_line.usage_error import UsageError
from lightning_modules.records.run_folder import RunFolder, shown


class PlannedRun(NamedTuple):
    """A run of a sweep, whether or not it has started."""

    proposal: Proposal  #: its values
    folder: RunFolder  #: its folder
    arguments: tuple[str, ...]  #: options of ``fit``

    @property
    def name(self) -> str:
        """Name of its folder."""
        return self.folder.run

    @property
    def log(self) -> Path:
        """Its processes' output; beside its folder, which only the run itself may create."""
        return self.folder.path.with_name(f"{self.name}.log")


class Plan:
    """Turns proposals into runs.

    Args:
        file: the sweep's file.
        settings: options for all runs.

    Raises:
        UsageError: runs cannot start with these settings.
    """

    def __init__(self, file: SweepFile, settings: Sequence[str]) -> None:
        self.file, self.settings = file, tuple(settings)
        self.folder = self._checked_folder()
        self.varied = [key for key, parameter in file.parameters.items() if not parameter.single()]
        self.numbered = file.method != "grid" or self._names_collide()

    def run(self, proposal: Proposal) -> PlannedRun:
        """Return the run that tries these values."""
        number = proposal.number if self.numbered else None
        name = run_name(number, proposal.values, self.varied)
        own = (f"--experiment={self.folder.name}", f"--run={name}")
        arguments = (*self.file.words(proposal.values), *self.settings, *own)
        return PlannedRun(proposal, RunFolder(self.folder / name), arguments)

    def runs(self) -> Iterator[PlannedRun]:
        """Yield every run of a grid up to its ``run_cap``, in the order of its file."""
        runs = islice(self.file.combinations(), self.file.number_of_runs(None))
        for number, values in enumerate(runs, 1):
            yield self.run(Proposal(number, values, None))

    def _names_collide(self) -> bool:
        """Return whether any runs of a grid share a name, since names round numbers."""
        grid = [*self.file.combinations()]
        return len({run_name(None, values, self.varied) for values in grid}) < len(grid)

    def _checked_folder(self) -> Path:
        """Build each value's model on the meta device, and return the folder of the runs."""
        try:
            built = [
                Blueprint([*self.file.words(values), *self.settings], run=False)
                for values in one_by_one({k: examples(p) for k, p in self.file.parameters.items()})
            ]
        except UsageError as mistake:
            raise UsageError(f"{shown(self.file.path)}: {mistake}") from mistake
        settings = built[0].settings
        if settings.run is not None:
            raise UsageError("run: the runs of a sweep are named after their values; leave it out")
        return Path(settings.trainer.default_root_dir) / (
            settings.experiment or self.file.path.stem
        )


def one_by_one(values: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    """Yield combinations that cover every value once, with the other settings at their first."""
    first = {key: choices[0] for key, choices in values.items()}
    yield first
    for key, choices in values.items():
        for value in choices[1:]:
            yield {**first, key: value}
