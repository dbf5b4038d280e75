"""Reader of run folders: the runs that can be read, and the problems with others."""

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import yaml

from lightning_modules.records.before_declarations import declared_before, with_scoring
from lightning_modules.records.metrics_file import History, read_history
from lightning_modules.records.model_file import DeclaredModel, read_model_file
from lightning_modules.records.problems import NewerFormat, Problem, Unreadable, unexpected
from lightning_modules.records.reading import read_bytes, read_json, require_plain
from lightning_modules.records.run import Run, Tested, read_results, seed_of
from lightning_modules.records.run_finder import find_runs
from lightning_modules.records.run_folder import RunFolder
from lightning_modules.records.settings import flat
from lightning_modules.records.sizes import SIZES
from lightning_modules.records.validations import history_in

Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
Config = Mapping[str, Any]
T = TypeVar("T")


class Found(NamedTuple):
    """Runs that were found, and problems with files that could not be read."""

    runs: list[Run]
    problems: list[Problem]


def read_runs(paths: Iterable[Path]) -> Found:
    """Read all runs in or below folders, and single records.

    Args:
        paths: folders, or files of runs: ``results.json`` or kept records.

    Raises:
        NoRuns: there is no such folder or file.
    """
    run_paths, problems = find_runs(paths)
    runs = []
    for path in run_paths:
        try:
            run, own_problems = read_record(path) if path.is_file() else read_run(path)
        except NewerFormat as reason:
            run, own_problems = None, [Problem(path, str(reason))]
        except Exception as failure:  # one bad run must not hide the others
            run, own_problems = None, [unexpected(path, failure)]
        problems += own_problems
        runs += [run] if run is not None else []
    return Found(runs, problems)


def read_record(path: Path) -> tuple[Run | None, list[Problem]]:
    """Read a kept record, which stands for a run without its folder.

    Returns:
        The run, None if it cannot be read; the problems with it.
    """
    try:
        tested = read_results(path)
        return _tested_run(path.with_suffix(""), tested, history_in(read_json(path)), {}), []
    except Unreadable as reason:
        return None, [Problem(path, str(reason))]


def read_run(path: Path) -> tuple[Run | None, list[Problem]]:
    """Read a run's folder.

    Returns:
        The run, None without readable measurements; the problems with its files.

    Raises:
        NewerFormat: a newer version of this code wrote the run.
    """
    folder = RunFolder(path)
    problems: list[Problem] = []
    tested = _if_readable(folder.results, read_results, problems)
    history = _if_readable(folder.metrics, read_history, problems)
    if history is not None:
        problems += [Problem(folder.metrics, each) for each in history[1]]
    if tested is None and history is None:
        return None, problems
    validations = None if history is None else _by_trained_steps(history[0], folder)
    if tested is not None:
        trainer = _trainer(tested, folder, problems)
        return _tested_run(path, tested, validations, trainer), problems
    assert validations is not None
    source = folder.config
    try:
        config = _config(folder.config)
        settings, seed = flat(config), seed_of(config.get("seed_everything"))
        source = folder.model if folder.model.exists() else path
        declared, sizes = _declared(folder, config, validations), _sizes(folder)
        return Run(path, declared, seed, settings, None, validations, sizes), problems
    except Unreadable as reason:
        return None, [*problems, Problem(source, str(reason))]


def _if_readable(path: Path, read: Callable[[Path], T], problems: list[Problem]) -> T | None:
    """Read a file if it exists; a failure is appended to the problems."""
    if not os.path.lexists(path):
        return None
    try:
        return read(path)
    except NewerFormat:
        raise
    except Unreadable as reason:
        problems.append(Problem(path, str(reason)))
        return None


def _by_trained_steps(history: History, folder: RunFolder) -> History:
    """Shift steps to completed ones; before model.json had a format, one less was logged."""
    content = _if_readable(folder.model, read_json, [])
    current = isinstance(content, dict) and content.get("format", 0) >= 1
    return history if current else history._replace(steps=history.steps + 1)


def _trainer(tested: Tested, folder: RunFolder, problems: list[Problem]) -> dict[str, Any]:
    """Return the trainer's settings from config.yaml, for older results that lack them."""
    if any(key.startswith("trainer.") for key in tested.settings):
        return {}
    config = _if_readable(folder.config, _config, problems)
    settings = {} if config is None else flat(config)
    return {key: value for key, value in settings.items() if key.startswith("trainer.")}


def _tested_run(
    path: Path, tested: Tested, history: History | None, trainer: Mapping[str, Any]
) -> Run:
    # Settings in the results belong to the tested training, config.yaml to the latest one.
    return Run(
        folder=path,
        declared=tested.declared,
        seed=tested.seed,
        settings={**tested.settings, **trainer},
        tested=tested,
        history=history,
    )


def _declared(folder: RunFolder, config: Config, history: History) -> DeclaredModel:
    """Return the declaration of an untested run."""
    if folder.model.exists():
        return with_scoring(read_model_file(folder.model))
    model = config["model"]
    return declared_before(_class_name(model), _memory(model), [history.curve_name])


def _sizes(folder: RunFolder) -> dict[str, Any]:
    """Return the sizes of an untested run, as far as its files have them."""
    content = _if_readable(folder.model, read_json, [])
    values = content if isinstance(content, Mapping) else {}
    return {name: values[name] for name in SIZES if name in values}


def _config(path: Path) -> Config:
    """Read the settings of a run.

    Raises:
        Unreadable: the file is missing, damaged, or names no model or data.
    """
    text = read_bytes(path)
    try:
        content = yaml.load(text.decode("utf-8"), Loader)  # noqa: S506 (both loaders are safe)
    except Exception as failure:  # the loader raises many types, on dates and numbers too
        raise Unreadable("is damaged: it is not YAML, or incomplete") from failure
    require_plain(content)
    flat(content)
    return dict(content)


def _class_name(setting: Mapping[str, Any]) -> str:
    return str(setting["class_path"]).rpartition(".")[2]


def _memory(model: Mapping[str, Any]) -> str | None:
    """Return the class of the memory core; None if the model has no such setting."""
    memory = (model.get("init_args") or {}).get("memory")
    path = memory.get("class_path", "") if isinstance(memory, Mapping) else str(memory or "")
    return path.rpartition(".")[2] or None
