"""``sweep.json``: what became of each run, so that a sweep can be gone on with after any end."""

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from lightning_modules.callbacks.results_file import write_json
from lightning_modules.command_line.sweep.plan import PlannedRun
from lightning_modules.command_line.sweep.trials import Trial
from lightning_modules.command_line.usage_error import UsageError
from lightning_modules.records.run_folder import shown

NAME = "sweep.json"
OTHER_FOLDER = "name another folder with --experiment=NAME"


class Status(StrEnum):
    """How far a run is."""

    BEGUN = "begun"
    TRAINED = "trained"
    FAILED = "failed"


@dataclass
class Record:
    """What is known of a run.

    Args:
        number: of its trial.
        values: of its trial.
        arguments: options of ``fit``.
        status: how far it is.
        score: its metric, None before it is known.
    """

    number: int
    values: dict[str, Any]
    arguments: list[str]
    status: Status = Status.BEGUN
    score: float | None = None

    @property
    def trial(self) -> Trial:
        """What it tried."""
        return Trial(self.number, self.values)


class StateFile:
    """Reads and writes the records; the file on disk is always a whole one.

    Args:
        folder: of the runs; made if it is missing.

    Raises:
        UsageError: the folder is something else's, or the file is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if not self.path.exists() and any(folder.iterdir()):
                raise UsageError(f"{shown(folder)} has other runs than a sweep's; {OTHER_FOLDER}")
            self.records = read(self.path) if self.path.exists() else {}
        except OSError as failure:
            raise UsageError(f"can not use {shown(folder)}: {failure.strerror}") from failure

    def find(self, run: PlannedRun) -> Record | None:
        """What is known of a run, None if it is new.

        Raises:
            UsageError: a run of this name had other settings.
        """
        record = self.records.get(run.name)
        if record is not None and record.arguments != list(run.arguments):
            raise UsageError(
                f"{shown(run.folder.path)} was begun with other settings: "
                f"{' '.join(record.arguments)}\nrepeat them, or {OTHER_FOLDER}"
            )
        return record

    def begin(self, run: PlannedRun) -> Record:
        """Note that a run begins, or goes on."""
        known = self.find(run)
        fresh = Record(run.trial.number, dict(run.trial.values), list(run.arguments))
        self.records[run.name] = record = fresh if known is None else known
        if record.status is Status.FAILED:
            record.status = Status.BEGUN
        self.write()
        return record

    def write(self) -> None:
        """Write all records."""
        write_json(self.path, {"runs": {name: asdict(r) for name, r in self.records.items()}})


def read(path: Path) -> dict[str, Record]:
    """Records by the run's name."""
    try:
        runs = json.loads(path.read_text())["runs"]
        records = {name: Record(**record) for name, record in runs.items()}
        for record in records.values():
            record.status = Status(record.status)
    except (ValueError, TypeError, KeyError, AttributeError) as failure:
        raise UsageError(f"{shown(path)} is damaged; {OTHER_FOLDER}") from failure
    return records
