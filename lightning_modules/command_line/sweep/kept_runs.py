"""Runs whose records are kept, so that a table does not train them again."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from lightning_modules.command_line.blueprint import Blueprint
from lightning_modules.command_line.usage_error import UsageError
from lightning_modules.records.kept import rounded
from lightning_modules.records.problems import NoRuns
from lightning_modules.records.reader import read_runs
from lightning_modules.records.run import DIGITS, Run
from lightning_modules.records.settings import decisive, differing, flat

SEED, NAME = "--seed_everything=", "--run="


class Settings(Blueprint):
    """An experiment's settings; no model is built, which would take ten times as long."""

    def instantiate_classes(self) -> None:
        """Build nothing."""


class Experiment(NamedTuple):
    """What a command line would train, whatever its seed."""

    settings: Mapping[str, Any]  #: the decisive ones
    source: str  #: of the data; never ``auto``
    test_sha256: str  #: its test set's


class KeptRuns:
    """Finds the record of a run that was trained before, here or elsewhere.

    A record stands for a run with the same decisive settings, by the rule that says which runs are
    averaged, with the same test set and the same seed. Data that are missing are downloaded, as
    training would: only then is known what it would train on.

    Args:
        folder: where records are kept.

    Raises:
        UsageError: there is no such folder.
    """

    def __init__(self, folder: Path) -> None:
        try:
            runs = read_runs([folder]).runs
        except NoRuns as reason:
            raise UsageError(f"records: {reason}") from reason
        self.runs = [run for run in runs if run.tested is not None]
        self._experiments: dict[tuple[str, ...], Experiment] = {}
        self._data: dict[str, Mapping[str, str]] = {}

    def find(self, words: Sequence[str]) -> Run | None:
        """Return the record of a run, None if there is none.

        Args:
            words: options of ``fit``, a seed among them or the default one.
        """
        seed = next((int(w.removeprefix(SEED)) for w in words[::-1] if w.startswith(SEED)), 0)
        of_seed = [run for run in self.runs if run.seed == seed]
        if not of_seed:
            return None
        wanted = self._experiment(tuple(w for w in words if not w.startswith((SEED, NAME))))
        return next((run for run in of_seed if is_of(run, wanted)), None)

    def _experiment(self, words: tuple[str, ...]) -> Experiment:
        if words not in self._experiments:
            read = Settings(list(words), run=False)
            dumped = read.parser.dump(read.config, skip_unset=False, skip_validation=True)
            settings = yaml.safe_load(dumped)
            data = self._data_record(json.dumps(settings["data"], sort_keys=True), words)
            self._experiments[words] = Experiment(
                decisive(flat(rounded(settings))), data["source"], data["test_sha256"][:DIGITS]
            )
        return self._experiments[words]

    def _data_record(self, key: str, words: Sequence[str]) -> Mapping[str, str]:
        """Return what is really used with some settings of the data, which are read once."""
        if key not in self._data:
            data = Blueprint(list(words), run=False).datamodule
            data.prepare_data()
            data.setup()
            self._data[key] = data.data_record()
        return self._data[key]


def is_of(run: Run, wanted: Experiment) -> bool:
    """Tell whether a record is of an experiment."""
    assert run.tested is not None
    found = run.tested.benchmark
    return (
        found.source == wanted.source
        and found.sha256 == wanted.test_sha256
        and not differing([decisive(run.settings), wanted.settings])
    )
