"""Finds runs with kept records, so that a table does not train them again."""

import json
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from lightning_modules.command_line.blueprint import Blueprint
from lightning_modules.command_line.usage_error import UsageError
from lightning_modules.records.kept import rounded
from lightning_modules.records.problems import NoRuns
from lightning_modules.records.reader import read_runs
from lightning_modules.records.run import DIGITS, Run
from lightning_modules.records.settings import (
    LATER_KEYS,
    decisive,
    differing,
    effective,
    flat,
)

SEED, NAME = "--seed_everything=", "--run="


class Settings(Blueprint):
    """Parses an experiment's settings without building its model, which is ten times slower."""

    def instantiate_classes(self) -> None:
        """Build nothing."""


class Experiment(NamedTuple):
    """What a command line would train, apart from the seed."""

    settings: Mapping[str, Any]  #: those that affect results
    classes: tuple[str, ...]  #: options that only name the classes of model and data
    sequences: int  #: size of its test set
    data: str  #: all settings of the data, as text
    words: tuple[str, ...]  #: options of ``fit`` without the seed


class KeptRuns:
    """Finds the record of a run that was trained before, here or elsewhere.

    A record matches a run with the same decisive settings (the rule that decides which runs are
    averaged), the same seed, and a test on the same whole test set. A setting that the record lacks
    was added later, and must have its default. If the settings agree, missing data are downloaded,
    as in training, since only then is the data source known.

    Args:
        *folders: folders of records or runs.

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
        """Return the record of a run; None if there is none.

        Args:
            words: options of ``fit``; without a seed, the default one.
        """
        seed = next((w.removeprefix(SEED) for w in words[::-1] if w.startswith(SEED)), "0")
        of_seed = [run for run in self.runs if str(run.seed) == seed]
        if not of_seed:
            return None
        experiment = self._experiment(without_seed(words))
        return next((run for run in of_seed if self._is_of(run, experiment)), None)

    def settings_hash(self, words: Sequence[str]) -> str:
        """Return a hash of the settings that affect a run's results, apart from its seed.

        Settings that are null or off count as missing, so that later ones make no difference.

        Args:
            words: options of ``fit``.
        """
        settings = effective(self._experiment(without_seed(words)).settings, "")
        text = json.dumps(settings, sort_keys=True)
        return sha256(text.encode("utf-8")).hexdigest()[:DIGITS]

    def _is_of(self, run: Run, experiment: Experiment) -> bool:
        assert run.tested is not None
        benchmark, recorded = run.tested.benchmark, decisive(run.settings)
        # Unknown settings, which only one side has, count as equal.
        unknown = LATER_KEYS - (recorded.keys() & experiment.settings.keys())
        recorded, expected = (
            {key: value for key, value in settings.items() if key not in unknown}
            for settings in (recorded, experiment.settings)
        )
        later = expected.keys() - recorded.keys()
        common = {key: value for key, value in expected.items() if key in recorded}
        if benchmark.sequences != experiment.sequences or differing([recorded, common]):
            return False
        # Parsed only if needed.
        defaults = self._defaults_of(experiment) if later else {}
        if any(expected[key] != defaults.get(key) for key in later):
            return False
        used = self._data_record(experiment)
        return (benchmark.source, benchmark.sha256) == (
            used["source"],
            used["test_sha256"][:DIGITS],
        )

    def _defaults_of(self, experiment: Experiment) -> Mapping[str, Any]:
        """Return the defaults of an experiment's classes."""
        if experiment.classes not in self._defaults:
            self._defaults[experiment.classes] = decisive(
                flat(rounded(self._dumped(experiment.classes)))
            )
        return self._defaults[experiment.classes]

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
        """Return all settings of a command line, including defaults."""
        parsed = Settings(list(words), run=False)
        dumped = parsed.parser.dump(parsed.config, skip_unset=False, skip_validation=True)
        return yaml.safe_load(dumped)

    def _data_record(self, experiment: Experiment) -> Mapping[str, str]:
        """Return the data record of an experiment; data with the same settings are read once."""
        if experiment.data not in self._data:
            data = Blueprint(list(experiment.words), run=False).datamodule
            data.prepare_data_record()
            data.setup()
            self._data[experiment.data] = data.data_record()
        return self._data[experiment.data]


def without_seed(words: Sequence[str]) -> tuple[str, ...]:
    """Return the options of ``fit`` that all seeds share."""
    return tuple(word for word in words if not word.startswith((SEED, NAME)))


def classes(settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the key and path of every class in the settings, outer ones first."""
    for key, value in settings.items():
        if isinstance(value, Mapping) and "class_path" in value:
            yield key, value["class_path"]
            inner = value.get("init_args") or {}
            yield from ((f"{key}.{name}", path) for name, path in classes(inner))
