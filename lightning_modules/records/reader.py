"""Reads a run's folder: what can be read, and what is wrong with the rest."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from lightning_modules.command_line.checkpoint_check import flattened
from lightning_modules.records.metrics_file import History, read_history
from lightning_modules.records.readings import Reading, reading_of
from lightning_modules.records.results_file import RunResults, Unreadable, read_results
from lightning_modules.records.run import RunRecord
from lightning_modules.records.run_finder import Problem
from lightning_modules.records.run_folder import RunFolder

#: Cores of the models that leave no choice; results.json names them, config.yaml does not.
FIXED_CORES = {
    "VRNN": "NoMemory",
    "NP": "ContextWindow",
    "ANP": "ContextWindow",
    "SNP": "ContextWindow",
}
Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_record(path: Path) -> tuple[RunRecord | None, list[Problem]]:
    """Read one run.

    Returns:
        the run, None if nothing was measured that can be read; what is wrong with its files.
    """
    folder = RunFolder(path)
    tested: RunResults | None = None
    history: History | None = None
    problems: list[Problem] = []
    if folder.results.exists():
        try:
            tested = read_results(folder.results)
        except Unreadable as reason:
            problems.append(Problem(folder.results, str(reason)))
    try:
        history, said = read_history(folder.metrics)
        problems += [Problem(folder.metrics, each) for each in said]
    except Unreadable as reason:
        if tested is None or folder.metrics.exists():
            problems.append(Problem(folder.metrics, str(reason)))
    try:
        return _record(folder, tested, history), problems
    except Unreadable as reason:
        return None, [*problems, Problem(path, str(reason))]


def _record(
    folder: RunFolder, tested: RunResults | None, history: History | None
) -> RunRecord | None:
    if tested is None and history is None:
        return None
    config = _config(folder.config, required=tested is None)
    if tested is not None:
        config |= {"model": tested.model_settings, "data": tested.data_settings}
    model = str(config["model"]["class_path"]).rpartition(".")[2]
    return RunRecord(
        folder=folder.path,
        model=model,
        memory=_memory(config["model"], model) if tested is None else tested.memory,
        seed=_seed(config.get("seed_everything") if tested is None else tested.seed),
        reading=_reading(history) if tested is None else tested.reading,
        settings=dict(_settings(config)),
        tested=tested,
        history=history,
        facts={} if tested is None else tested.facts,
    )


def _config(path: Path, required: bool) -> dict[str, Any]:
    """Settings as they were written; empty where they are neither whole nor required."""
    try:
        content = yaml.load(path.read_text(), Loader)  # noqa: S506 (both loaders are safe)
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        content = None
    if isinstance(content, Mapping) and all(map(_is_class, map(content.get, ("model", "data")))):
        return dict(content)
    if required:
        raise Unreadable("has no config.yaml that says what was trained")
    return {}


def _is_class(value: Any) -> bool:
    return isinstance(value, Mapping) and isinstance(value.get("class_path"), str)


def _seed(setting: int | bool | None) -> int | None:
    """None for a run that set none, which settings write as ``false``."""
    return None if isinstance(setting, bool) else setting


def _reading(history: History | None) -> Reading:
    reading = history and reading_of([history.curve_name])
    if not reading:
        raise Unreadable("has none of the validations that are compared")
    return reading


def _memory(model: Mapping[str, Any], name: str) -> str | None:
    chosen = (model.get("init_args") or {}).get("memory")
    path = chosen.get("class_path", "") if isinstance(chosen, Mapping) else str(chosen or "")
    return path.rpartition(".")[2] or FIXED_CORES.get(name)


def _settings(config: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """By the keys of the command line."""
    for key in ("model", "data"):
        yield from flattened(key, config[key])
    for name, value in (config.get("trainer") or {}).items():
        yield f"trainer.{name}", value
