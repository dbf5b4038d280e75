"""The runs of a sweep: their settings, and the folder that they share."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning_modules.command_line.blueprint import Blueprint
from lightning_modules.command_line.sweep.parameter import Choice
from lightning_modules.command_line.sweep.run_names import run_name
from lightning_modules.command_line.sweep.sweep_file import ARGUMENTS, SweepFile
from lightning_modules.command_line.sweep.trials import Trial, Values, grid, one_by_one
from lightning_modules.command_line.usage_error import UsageError
from lightning_modules.records.run_folder import RunFolder, shown


@dataclass(frozen=True)
class PlannedRun:
    """A run that has not begun, or was begun before.

    Args:
        trial: its values.
        folder: where it goes.
        arguments: options of ``fit``.
    """

    trial: Trial
    folder: RunFolder
    arguments: tuple[str, ...]

    @property
    def name(self) -> str:
        """Of its folder."""
        return self.folder.run

    @property
    def log(self) -> Path:
        """What its processes say; beside its folder, which only the run itself may make."""
        return self.folder.path.with_name(f"{self.name}.log")


class Plan:
    """Turns trials into runs.

    Args:
        file: the sweep's.
        settings: options that hold for all runs.

    Raises:
        UsageError: no run could begin with these settings.
    """

    def __init__(self, file: SweepFile, settings: Sequence[str]) -> None:
        self.file, self.settings = file, tuple(settings)
        self.folder = self._checked_folder()
        several = {
            k: p
            for k, p in file.parameters.items()
            if not isinstance(p, Choice) or len(p.values) > 1
        }
        self.varied = tuple(several)
        self.numbered = file.method != "grid" or self._alike()

    def run(self, trial: Trial) -> PlannedRun:
        """The run that tries these values."""
        name = run_name(trial, self.varied, self.numbered)
        folder = RunFolder(self.folder / name)
        own = (f"--experiment={self.folder.name}", f"--run={name}")
        return PlannedRun(trial, folder, (*self._words(trial.values), *own))

    def _words(self, values: Values) -> list[str]:
        words: list[str] = []
        for word in self.file.command:
            words += [argument(*item) for item in values.items()] if word == ARGUMENTS else [word]
        return [*words, *self.settings]

    def _alike(self) -> bool:
        """Whether runs of a grid have the same name: rounded, numbers may be equal."""
        names = [run_name(Trial(0, v), self.varied, False) for v in grid(self.file.parameters)]
        return len(set(names)) < len(names)

    def _checked_folder(self) -> Path:
        """Build each value's model without numbers, and ask the first one where runs go."""
        try:
            built = [
                Blueprint(self._words(values), run=False)
                for values in one_by_one(self.file.parameters)
            ]
        except UsageError as mistake:
            raise UsageError(f"{shown(self.file.path)}: {mistake}") from mistake
        settings = built[0].settings
        if settings.run is not None:
            raise UsageError("run: the runs of a sweep are named after their values; leave it out")
        return Path(settings.trainer.default_root_dir) / (
            settings.experiment or self.file.path.stem
        )


def argument(key: str, value: Any) -> str:
    """A setting as the command line takes it."""
    return f"--{key}={value if isinstance(value, str) else json.dumps(value)}"
