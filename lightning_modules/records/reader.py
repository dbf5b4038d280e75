"""Reader of runs' folders: the runs that can be read, and what is wrong with the rest."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from lightning_modules.records.before_declarations import declared_before
from lightning_modules.records.metrics_file import History, read_history
from lightning_modules.records.model_file import DeclaredModel, read_model_file
from lightning_modules.records.problems import Problem, Unreadable
from lightning_modules.records.run import Run, Tested, read_results, seed_of
from lightning_modules.records.run_finder import find_runs
from lightning_modules.records.run_folder import RunFolder
from lightning_modules.records.settings import flattened

Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
Config = Mapping[str, Any]


class Found(NamedTuple):
    """Runs that were found, and what could not be read."""

    runs: list[Run]
    problems: list[Problem]


def read_runs(named: Iterable[Path]) -> Found:
    """Read all runs in or below folders, and single records.

    Args:
        named: folders, or files of runs: ``results.json``, records that are kept.

    Raises:
        NoRuns: there is no such folder or file.
    """
    paths, problems = find_runs(named)
    runs = []
    for path in paths:
        run, said = read_record(path) if path.is_file() else read_run(path)
        problems += said
        runs += [run] if run is not None else []
    return Found(runs, problems)


def read_record(path: Path) -> tuple[Run | None, list[Problem]]:
    """Read a record that stands for a run by itself.

    Returns:
        the run, None if it cannot be read; what is wrong with it.
    """
    try:
        tested = read_results(path)
    except Unreadable as reason:
        return None, [Problem(path, str(reason))]
    return _run(path.with_suffix(""), tested, None, {}), []


def read_run(path: Path) -> tuple[Run | None, list[Problem]]:
    """Read a run's folder.

    Returns:
        the run, None if nothing was measured that can be read; what is wrong with its files.
    """
    folder = RunFolder(path)
    tested: Tested | None = None
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
        if folder.metrics.exists():
            problems.append(Problem(folder.metrics, str(reason)))
    if tested is None and history is None:
        return None, problems
    try:
        config = _config(folder.config, required=tested is None)
        return _run(path, tested, history, config), problems
    except Unreadable as reason:
        # Either file says what the model is.
        blamed = folder.model if folder.model.exists() else path
        return None, [*problems, Problem(blamed, str(reason))]


def _run(path: Path, tested: Tested | None, history: History | None, config: Config) -> Run:
    # Settings beside the results are the tested training's; config.yaml is that of the last one.
    known = config if tested is None else {**_trainer(config), **tested.settings}
    return Run(
        folder=path,
        declared=_declared(path, config, history) if tested is None else tested.declared,
        seed=seed_of(config.get("seed_everything")) if tested is None else tested.seed,
        settings=dict(_flat(known)),
        tested=tested,
        history=history,
    )


def _trainer(config: Config) -> Config:
    """Return the trainer's settings of the training; a test's own say little."""
    return {"trainer": config["trainer"]} if config.get("trainer") else {}


def _declared(path: Path, config: Config, history: History | None) -> DeclaredModel:
    """Return the declaration of a run that was not tested."""
    file = RunFolder(path).model
    if file.exists():
        return read_model_file(file)
    curves = [] if history is None else [history.curve_name]
    model = config["model"]
    return declared_before(_class_name(model), _memory(model), curves)


def _config(path: Path, required: bool) -> Config:
    """Read settings as they were written; empty where they are neither whole nor required."""
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader)  # noqa: S506 (both loaders are safe)
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        content = None
    if isinstance(content, Mapping) and all(map(_is_class, map(content.get, ("model", "data")))):
        return content
    if required:
        raise Unreadable("has no config.yaml that says what was trained")
    return {}


def _is_class(value: Any) -> bool:
    return isinstance(value, Mapping) and isinstance(value.get("class_path"), str)


def _class_name(setting: Mapping[str, Any]) -> str:
    return str(setting["class_path"]).rpartition(".")[2]


def _memory(model: Mapping[str, Any]) -> str | None:
    """Return the class of the memory core if it is a choice."""
    chosen = (model.get("init_args") or {}).get("memory")
    path = chosen.get("class_path", "") if isinstance(chosen, Mapping) else str(chosen or "")
    return path.rpartition(".")[2] or None


def _flat(config: Config) -> Iterator[tuple[str, Any]]:
    """Yield settings by the keys of the command line."""
    for key in ("model", "data"):
        yield from flattened(key, config[key])
    for name, value in (config.get("trainer") or {}).items():
        yield f"trainer.{name}", value
