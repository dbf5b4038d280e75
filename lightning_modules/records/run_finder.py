"""Search for runs below the folders that were named."""

from collections.abc import Iterable, Iterator
from pathlib import Path

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
        if not path.exists():
            raise NoRuns(f"there is no folder {shown(path)}")
        found, foreign = _at(path)
        if not found:
            foreign = [Problem(path, NOTHING_THERE)]
        runs |= {run.resolve(): run for run in found}
        problems += foreign
    return list(runs.values()), problems


def is_run(folder: Path) -> bool:
    """Tell whether a folder holds measurements."""
    run = RunFolder(folder)
    return run.results.exists() or run.metrics.exists()


def _at(path: Path) -> tuple[list[Path], list[Problem]]:
    """Find the run at a path, or those below it, and the folders there that hold none."""
    if path.is_file():
        # Any of a run's files stands for the run.
        return ([path], []) if _is_record(path) else _at(path.parent)
    if is_run(path):
        return [path], []
    runs, problems = list(_records(path)), []
    for child in sorted(c for c in path.iterdir() if c.is_dir() and c.name[0] != "."):
        found, foreign = _at(child)
        runs += found
        problems += foreign if found else [Problem(child, NOTHING_THERE)]
    return runs, problems


def _records(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.iterdir()) if path.is_file() and _is_record(path))


def _is_record(path: Path) -> bool:
    return path.suffix == ".json" and path.stem.isdecimal()
