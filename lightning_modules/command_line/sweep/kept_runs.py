"""Runs whose records are kept, so that a table does not train them again."""

import json
from collections.abc import Iterator, Mapping, Sequence
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
    classes: tuple[str, ...]  #: options that name the classes of model and data, and nothing else
    sequences: int  #: of its test set
    data: str  #: all settings of the data, as text
    words: tuple[str, ...]  #: options of ``fit``, but for the seed


class KeptRuns:
    """Finds the record of a run that was trained before, here or elsewhere.

    A record stands for a run with the same decisive settings, by the rule that says which runs are
    averaged, with the same seed and a test of the same whole test set. A setting that the record
    does not name came later: such a run has its default. Where settings agree, data that are
    missing are downloaded, as training would: only then is known what it would train on.

    Args:
        *folders: where records are kept, or runs are.

    Raises:
        UsageError: there is no such folder.
    """

    def __init__(self, *folders: Path) -> None:
        try:
            runs = read_runs(folders).runs
        except NoRuns as reason:
            raise UsageError(f"records: {reason}") from reason
        self.runs = [run for run in runs if run.tested is not None]
        self._experiments: dict[tuple[str, ...], Experiment] = {}
        self._data: dict[str, Mapping[str, str]] = {}
        self._defaults: dict[tuple[str, ...], Mapping[str, Any]] = {}

    def find(self, words: Sequence[str]) -> Run | None:
        """Return the record of a run, None if there is none.

        Args:
            words: options of ``fit``, a seed among them or the default one.
        """
        seed = next((w.removeprefix(SEED) for w in words[::-1] if w.startswith(SEED)), "0")
        of_seed = [run for run in self.runs if str(run.seed) == seed]
        if not of_seed:
            return None
        wanted = self._experiment(tuple(w for w in words if not w.startswith((SEED, NAME))))
        return next((run for run in of_seed if self._is_of(run, wanted)), None)

    def _is_of(self, run: Run, wanted: Experiment) -> bool:
        assert run.tested is not None
        found, known = run.tested.benchmark, decisive(run.settings)
        later = wanted.settings.keys() - known.keys()
        named = {key: value for key, value in wanted.settings.items() if key in known}
        if found.sequences != wanted.sequences or differing([known, named]):
            return False
        # Parsed only where they are asked for.
        defaults = self._defaults_of(wanted) if later else {}
        if any(wanted.settings[key] != defaults.get(key) for key in later):
            return False
        used = self._data_record(wanted)
        return (found.source, found.sha256) == (used["source"], used["test_sha256"][:DIGITS])

    def _defaults_of(self, wanted: Experiment) -> Mapping[str, Any]:
        """Return the defaults of an experiment's classes."""
        if wanted.classes not in self._defaults:
            self._defaults[wanted.classes] = decisive(flat(rounded(self._dumped(wanted.classes))))
        return self._defaults[wanted.classes]

    def _experiment(self, words: tuple[str, ...]) -> Experiment:
        if words not in self._experiments:
            settings = self._dumped(words)
            self._experiments[words] = Experiment(
                decisive(flat(rounded(settings))),
                tuple(f"--{key}={path}" for key, path in classes(settings)),
                settings["data"]["init_args"]["test_size"],
                json.dumps(settings["data"], sort_keys=True),
                words,
            )
        return self._experiments[words]

    def _dumped(self, words: Sequence[str]) -> dict[str, Any]:
        """Return all settings of a command line, defaults and all."""
        read = Settings(list(words), run=False)
        dumped = read.parser.dump(read.config, skip_unset=False, skip_validation=True)
        return yaml.safe_load(dumped)

    def _data_record(self, wanted: Experiment) -> Mapping[str, str]:
        """Return what is really used with some settings of the data, which are read once."""
        if wanted.data not in self._data:
            data = Blueprint(list(wanted.words), run=False).datamodule
            data.prepare_data_record()
            data.setup()
            self._data[wanted.data] = data.data_record()
        return self._data[wanted.data]


def classes(settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the keys of all classes that settings name, outer ones first, and their paths."""
    for key, value in settings.items():
        if isinstance(value, Mapping) and "class_path" in value:
            yield key, value["class_path"]
            inner = value.get("init_args") or {}
            yield from ((f"{key}.{name}", path) for name, path in classes(inner))
