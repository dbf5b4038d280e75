"""Records that are kept in the repository: one small file for a run that counts."""

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
from lightning_modules.records.settings import ON_DIVERGENCE, TRAINING, decisive
from lightning_modules.records.validations import kept_validations

MOST_BYTES = 20_000
#: Digits of every number; standard errors over seeds are far larger.
DIGITS = 6
#: They say where things were on one machine, and nothing about results.
OF_THE_MACHINE = ("checkpoint", "command", "run", "stage")
#: A list or mapping that holds no others, but for lists of words, as a measure's benchmarks are.
FLAT = re.compile(r"[\[{](?:[^\[\]{}]|\[(?:\s*\"[^\"\[\]{}]*\",?)*\s*\])*[\]}]")


def record_of(run: Run) -> str:
    """Return what a test found as the text of a record, without what is of one machine.

    Of validations it has what the family follows over training.

    Raises:
        Unreadable: the run was not tested, or the text is too long.
    """
    if run.tested is None:
        raise Unreadable("has not been tested yet")
    results = read_json(RunFolder(run.folder).results)
    own = {name: value for name, value in results.items() if name not in OF_THE_MACHINE}
    content = {**own, "format": FORMAT}
    # Runs of before have the trainer's settings in config.yaml alone.
    trainer = {name: run.settings.get(f"trainer.{name}") for name in TRAINING}
    if f"trainer.{ON_DIVERGENCE}" in run.settings:
        trainer[ON_DIVERGENCE] = run.settings[f"trainer.{ON_DIVERGENCE}"]
    content["settings"] = {**_without_folder(content["settings"]), "trainer": trainer}
    content["curves"] = {name: content["curves"][name] for name in run.tested.curves}
    if run.history is not None:
        content["validations"] = kept_validations(run.history, run.family.followed)
    training = content.get("training") or {}
    content["training"] = {name: value for name, value in training.items() if name != "command"}
    text = _brief(json.dumps(rounded(content), indent=1, allow_nan=False)) + "\n"
    if len(text) > MOST_BYTES:
        raise Unreadable(
            f"makes a record of {len(text):,} bytes; at most {MOST_BYTES:,} are allowed"
        )
    return text


def keep(text: str, path: Path) -> None:
    """Write a record; by custom its path ends in ``<benchmark>/<model>/<seed>.json``."""
    write_text(path, text)


def distinct(runs: Iterable[Run]) -> list[Run]:
    """Count tests once that come twice, as kept records and in the folders of their runs.

    Those of one seed that were trained alike and found the same on the same sequences are one. The
    folder's is shown, which has all of its validations, and pictures.
    """
    found: dict[tuple[object, ...], Run] = {}
    for run in runs:
        key = _identity(run)
        if not found.setdefault(key, run).folder.is_dir():
            found[key] = run
    return list(found.values())


def _identity(run: Run) -> tuple[object, ...]:
    if run.tested is None:
        return (run.folder,)
    # The rule of groups: a setting that is not there is one of no value.
    known = {name: v for name, v in decisive(run.settings).items() if v is not None}
    settings = json.dumps(rounded(known), sort_keys=True, default=str)
    measured = rounded(run.scalar(run.family.criterion))
    return run.declared.model, settings, run.seed, run.tested.benchmark, measured


def _without_folder(settings: Mapping[str, Any]) -> dict[str, Any]:
    data = settings["data"]
    own = {name: value for name, value in data.get("init_args", {}).items() if name != "data_dir"}
    return {**settings, "data": {**data, "init_args": own}}


def rounded(content: Any) -> Any:
    """Round every number as records have it, but whole ones; what is not finite becomes None."""
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
    """Put each list of numbers, and each mapping of numbers and words, on a line of its own."""
    return FLAT.sub(lambda part: re.sub(r"\s*\n\s*", " ", part[0]), text)
