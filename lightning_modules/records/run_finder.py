"""Search for runs in folders."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from lightning_modules.records.bundle import bundles
from lightning_modules.records.problems import NoRuns, Problem
from lightning_modules.records.run_folder import RunFolder, shown

NOTHING_THERE = "holds no run: no results.json and no metrics.csv"


def find_runs(paths: Iterable[Path]) -> tuple[list[Path], list[Problem]]:
    """Find each run once, in the order of the paths, and report folders without runs.

    A run is a folder, or a kept record: a JSON file named after a seed.

    Raises:
        NoRuns: there is no such folder or file.
    """
    runs: dict[Path, Path] = {}
    problems: list[Problem] = []
    for path in paths:
        if not os.path.exists(path):
            raise NoRuns(f"there is no folder {shown(path)}")
        runs_at_path, without_runs = _at(path)
        runs |= {run.resolve(): run for run in runs_at_path}
        problems += _in_brief(path, runs_at_path, without_runs)
    return list(runs.values()), problems


def is_run(folder: Path) -> bool:
    """Return whether a folder holds measurements, readable or not."""
    names = {path.name for path in folder.iterdir()}
    run = RunFolder(folder)
    return not names.isdisjoint((run.results.name, run.metrics.name))


def _at(path: Path, above: tuple[Path, ...] = ()) -> tuple[list[Path], list[Problem]]:
    """Find the run at a path, or the runs below it, and report folders without runs.

    Args:
        path: a file or a folder.
        above: parent folders, so that cyclic links are not followed.
    """
    try:
        if path.is_file():
            # Any other file of a run stands for its folder.
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
        runs_below, without_runs = _at(child, above)
        runs += runs_below
        problems += _in_brief(child, runs_below, without_runs)
    return runs, problems


def _in_brief(path: Path, runs: Sequence[Path], problems: list[Problem]) -> list[Problem]:
    """Report a folder without runs once, instead of each folder in it; keep other problems."""
    if runs:
        return problems
    unread = [problem for problem in problems if problem.reason != NOTHING_THERE]
    return unread or [Problem(path, _without_measurements(path))]


def _without_measurements(path: Path) -> str:
    """Return why a folder has no measurements: training may have diverged before the first."""
    diverged = bundles(path)
    if not diverged:
        return NOTHING_THERE
    return f"diverged in step {diverged[0].stem.partition('_')[2]}, before its first validation"


def _is_record(path: Path) -> bool:
    return path.suffix == ".json" and path.stem.isdecimal()
