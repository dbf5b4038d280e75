"""Search for runs below the folders that were named."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from lightning_modules.records.bundle import bundles
from lightning_modules.records.problems import NoRuns, Problem
from lightning_modules.records.run_folder import RunFolder, shown

NOTHING_THERE = "holds no run: no results.json and no metrics.csv"


def find_runs(named: Iterable[Path]) -> tuple[list[Path], list[Problem]]:
    """Find each run once, in the order of the names, and the folders that hold none.

    A run is a folder, or a record that was kept: a JSON file whose name is a seed.

    Raises:
        NoRuns: there is no such folder or file.
    """
    runs: dict[Path, Path] = {}
    problems: list[Problem] = []
    for path in named:
        if not os.path.exists(path):
            raise NoRuns(f"there is no folder {shown(path)}")
        found, foreign = _at(path)
        runs |= {run.resolve(): run for run in found}
        problems += _in_brief(path, found, foreign)
    return list(runs.values()), problems


def is_run(folder: Path) -> bool:
    """Tell whether a folder holds measurements, be they readable or not."""
    names = {path.name for path in folder.iterdir()}
    run = RunFolder(folder)
    return not names.isdisjoint((run.results.name, run.metrics.name))


def _at(path: Path, above: tuple[Path, ...] = ()) -> tuple[list[Path], list[Problem]]:
    """Find the run at a path, or those below it, and the folders there that hold none.

    Args:
        path: a file or a folder.
        above: folders on the way to it, so that links that lead back are not followed.
    """
    try:
        if path.is_file():
            # Any of a run's files stands for the run.
            return ([path], []) if _is_record(path) else _at(path.parent)
        if is_run(path):
            return [path], []
        inside = sorted(path.iterdir())
        runs = [child for child in inside if child.is_file() and _is_record(child)]
        folders = [child for child in inside if child.is_dir() and child.name[0] != "."]
        above = (*above, path.resolve())
    except OSError as failure:
        return [], [Problem(path, f"cannot be read: {failure.strerror}")]
    problems: list[Problem] = []
    for child in folders:
        if child.resolve() in above:
            continue
        found, foreign = _at(child, above)
        runs += found
        problems += _in_brief(child, found, foreign)
    return runs, problems


def _in_brief(path: Path, found: Sequence[Path], foreign: list[Problem]) -> list[Problem]:
    """Name a folder without runs, not each of the folders in it; what cannot be read stays."""
    if found:
        return foreign
    unread = [problem for problem in foreign if problem.reason != NOTHING_THERE]
    return unread or [Problem(path, _without_measurements(path))]


def _without_measurements(path: Path) -> str:
    """Say why a folder holds no measurements: training may have diverged before there were any."""
    found = bundles(path)
    if not found:
        return NOTHING_THERE
    return f"diverged in step {found[0].stem.partition('_')[2]}, before its first validation"


def _is_record(path: Path) -> bool:
    return path.suffix == ".json" and path.stem.isdecimal()
