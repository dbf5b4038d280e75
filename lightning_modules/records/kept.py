"""Records that are kept in the repository: one small file per published run."""

import json
import re
from collections.abc import Iterable, Mapping
from math import isfinite
from pathlib import Path
from typing import Any

from lightning_modules.records.problems import Unreadable
from lightning_modules.records.reading import FORMAT, read_json
from lightning_modules.records.run import Run
from lightning_modules.records.run_folder import RunFolder, write_text
from lightning_modules.records.settings import ON_DIVERGENCE, RECORDED_LATER, TRAINING, decisive
from lightning_modules.records.validations import kept_validations

MOST_BYTES = 20_000
#: Significant digits of numbers; standard errors over seeds are far larger.
DIGITS = 6
#: Keys that describe the machine, not the results.
OF_THE_MACHINE = ("checkpoint", "command", "run", "stage")
#: A list or mapping without nested ones, other than lists of strings (a measure's benchmarks).
FLAT = re.compile(r"[\[{](?:[^\[\]{}]|\[(?:\s*\"[^\"\[\]{}]*\",?)*\s*\])*[\]}]")


def record_of(run: Run) -> str:
    """Return a test's results as the text of a record, without anything specific to the machine.

    Validations are limited to the measures that the family follows during training, and those by
    which models are ranked.

    Raises:
        Unreadable: the run was not tested, or the text is too long.
    """
    if run.tested is None:
        raise Unreadable("has not been tested yet")
    results = read_json(RunFolder(run.folder).results)
    own = {name: value for name, value in results.items() if name not in OF_THE_MACHINE}
    content = {**own, "format": FORMAT}
    # Older runs have the trainer's settings only in config.yaml.
    trainer = {name: run.settings.get(f"trainer.{name}") for name in TRAINING}
    for name in (*RECORDED_LATER, ON_DIVERGENCE):
        if f"trainer.{name}" in run.settings:
            trainer[name] = run.settings[f"trainer.{name}"]
    content["settings"] = {**_without_folder(content["settings"]), "trainer": trainer}
    content["curves"] = {name: content["curves"][name] for name in run.tested.curves}
    if run.history is not None:
        headlines = (measure.name for measure in run.family.headlines)
        content["validations"] = kept_validations(run.history, [*run.family.followed, *headlines])
    training = content.get("training") or {}
    content["training"] = {name: value for name, value in training.items() if name != "command"}
    text = _brief(json.dumps(rounded(content), indent=1, allow_nan=False)) + "\n"
    if len(text) > MOST_BYTES:
        raise Unreadable(
            f"makes a record of {len(text):,} bytes; at most {MOST_BYTES:,} are allowed"
        )
    return text


def keep(text: str, path: Path) -> None:
    """Write a record; by convention its path ends in ``<benchmark>/<model>/<seed>.json``."""
    write_text(path, text)


def distinct(runs: Iterable[Run]) -> list[Run]:
    """Drop duplicates: tests that exist both as a kept record and in their run's folder.

    Runs with the same model, settings, seed, test set and result are one. The folder takes
    precedence, as it has all validations and pictures.
    """
    by_identity: dict[tuple[object, ...], Run] = {}
    for run in runs:
        key = _identity(run)
        if not by_identity.setdefault(key, run).folder.is_dir():
            by_identity[key] = run
    return list(by_identity.values())


def _identity(run: Run) -> tuple[object, ...]:
    if run.tested is None:
        return (run.folder,)
    # As in groups, a missing setting equals None.
    values = {name: v for name, v in decisive(run.settings).items() if v is not None}
    settings = json.dumps(rounded(values), sort_keys=True, default=str)
    measured = rounded(run.scalar(run.family.criterion))
    return run.declared.model, settings, run.seed, run.tested.benchmark, measured


def _without_folder(settings: Mapping[str, Any]) -> dict[str, Any]:
    data = settings["data"]
    own = {name: value for name, value in data.get("init_args", {}).items() if name != "data_dir"}
    return {**settings, "data": {**data, "init_args": own}}


def rounded(content: Any) -> Any:
    """Round all numbers to ``DIGITS``, except whole ones; NaN and infinity become None."""
    if isinstance(content, float):
        if content.is_integer():
            return content
        return float(f"{content:.{DIGITS}g}") if isfinite(content) else None
    if isinstance(content, Mapping):
        return {name: rounded(value) for name, value in content.items()}
    if isinstance(content, list):
        return [rounded(value) for value in content]
    return content


def _brief(text: str) -> str:
    """Put each flat list or mapping on one line."""
    return FLAT.sub(lambda part: re.sub(r"\s*\n\s*", " ", part[0]), text)
