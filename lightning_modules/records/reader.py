"""Reader of runs' folders: the runs that can be read, and what is wrong with the rest."""

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import yaml

from lightning_modules.records.before_declarations import completed, declared_before
from lightning_modules.records.metrics_file import History, read_history
from lightning_modules.records.model_file import DeclaredModel, read_model_file
from lightning_modules.records.problems import NewerFormat, Problem, Unreadable, unforeseen
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
        try:
            run, said = read_record(path) if path.is_file() else read_run(path)
        except NewerFormat as reason:
            run, said = None, [Problem(path, str(reason))]
        except Exception as failure:  # one run may not hide all others
            run, said = None, [unforeseen(path, failure)]
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
        return _tested_run(path.with_suffix(""), tested, history_in(read_json(path)), {}), []
    except Unreadable as reason:
        return None, [Problem(path, str(reason))]


def read_run(path: Path) -> tuple[Run | None, list[Problem]]:
    """Read a run's folder.

    Returns:
        the run, None if nothing was measured that can be read; what is wrong with its files.

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
    read = None if history is None else _by_trained_steps(history[0], folder)
    if tested is not None:
        return _tested_run(path, tested, read, _trainer(tested, folder, problems)), problems
    assert read is not None
    blamed = folder.config
    try:
        config = _config(folder.config)
        settings, seed = flat(config), seed_of(config.get("seed_everything"))
        # Either file says what the model is.
        blamed = folder.model if folder.model.exists() else path
        declared, sizes = _declared(folder, config, read), _sizes(folder)
        return Run(path, declared, seed, settings, None, read, sizes), problems
    except Unreadable as reason:
        return None, [*problems, Problem(blamed, str(reason))]


def _if_readable(path: Path, read: Callable[[Path], T], problems: list[Problem]) -> T | None:
    """Read a file if there is one; what is wrong with it joins the problems."""
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
    """Count steps as trained ones; versions of before model.json had a format logged one less."""
    found = _if_readable(folder.model, read_json, [])
    now = isinstance(found, dict) and found.get("format", 0) >= 1
    return history if now else history._replace(steps=history.steps + 1)


def _trainer(tested: Tested, folder: RunFolder, problems: list[Problem]) -> dict[str, Any]:
    """Return the trainer's settings for results of before, which do not say how they came about."""
    if any(key.startswith("trainer.") for key in tested.settings):
        return {}
    config = _if_readable(folder.config, _config, problems)
    settings = {} if config is None else flat(config)
    return {key: value for key, value in settings.items() if key.startswith("trainer.")}


def _tested_run(
    path: Path, tested: Tested, history: History | None, trainer: Mapping[str, Any]
) -> Run:
    # Settings beside the results are the tested training's; config.yaml is that of the last one.
    return Run(
        folder=path,
        declared=tested.declared,
        seed=tested.seed,
        settings={**tested.settings, **trainer},
        tested=tested,
        history=history,
    )


def _declared(folder: RunFolder, config: Config, history: History) -> DeclaredModel:
    """Return the declaration of a run that was not tested."""
    if folder.model.exists():
        return completed(read_model_file(folder.model))
    model = config["model"]
    return declared_before(_class_name(model), _memory(model), [history.curve_name])


def _sizes(folder: RunFolder) -> dict[str, Any]:
    """Return the sizes of a run that was not tested, as far as its files say them."""
    found = _if_readable(folder.model, read_json, [])
    known = found if isinstance(found, Mapping) else {}
    return {name: known[name] for name in SIZES if name in known}


def _config(path: Path) -> Config:
    """Read settings as they were written.

    Raises:
        Unreadable: they are missing, not whole, or do not say what was trained.
    """
    content = read_bytes(path)
    try:
        found = yaml.load(content.decode("utf-8"), Loader)  # noqa: S506 (both loaders are safe)
    except Exception as failure:  # the loader raises many kinds, on dates and numbers too
        raise Unreadable("is damaged: it is not YAML, or incomplete") from failure
    require_plain(found)
    flat(found)
    return dict(found)


def _class_name(setting: Mapping[str, Any]) -> str:
    return str(setting["class_path"]).rpartition(".")[2]


def _memory(model: Mapping[str, Any]) -> str | None:
    """Return the class of the memory core if it is a choice."""
    chosen = (model.get("init_args") or {}).get("memory")
    path = chosen.get("class_path", "") if isinstance(chosen, Mapping) else str(chosen or "")
    return path.rpartition(".")[2] or None
