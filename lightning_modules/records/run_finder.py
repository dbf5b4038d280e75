"""Finds the folders of runs below the folders that were named."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from lightning_modules.command_line.usage_error import UsageError
from lightning_modules.records.run_folder import RunFolder, shown


class Problem(NamedTuple):
    """What is left out, and why."""

    path: Path
    reason: str


def find_runs(named: Iterable[Path]) -> tuple[list[Path], list[Problem]]:
    """Find each run once, in the order of the names; and the folders that hold none.

    Raises:
        UsageError: there is no such folder.
    """
    runs: dict[Path, Path] = {}
    problems: list[Problem] = []
    for path in named:
        if not path.exists():
            raise UsageError(f"there is no folder {shown(path)}")
        found, foreign = _below(path if path.is_dir() else path.parent)
        if not found:
            foreign = [Problem(path, "holds no run: no results.json and no metrics.csv")]
        runs |= {run.resolve(): run for run in found}
        problems += foreign
    return list(runs.values()), problems


def _below(folder: Path) -> tuple[list[Path], list[Problem]]:
    """The folder itself, or the runs below it and those of its folders that hold none."""
    if is_run(folder):
        return [folder], []
    runs: list[Path] = []
    problems: list[Problem] = []
    for child in sorted(c for c in folder.iterdir() if c.is_dir() and c.name[0] != "."):
        found, foreign = _below(child)
        runs += found
        problems += (
            foreign
            if found
            else [Problem(child, "holds no run: no results.json and no metrics.csv")]
        )
    return runs, problems


def is_run(folder: Path) -> bool:
    """Whether something was measured there."""
    run = RunFolder(folder)
    return run.results.exists() or run.metrics.exists()
