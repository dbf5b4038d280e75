"""Last resort: if a run cannot be shown, exclude it and show the others."""

from collections.abc import Callable
from typing import TypeVar

from lightning_modules.records.problems import NoRuns, Problem, unexpected
from lightning_modules.records.reader import Found

T = TypeVar("T")


def shown_by(
    show: Callable[[Found], T], found: Found, expected: type[Exception] = NoRuns
) -> tuple[T, list[Problem]]:
    """Show runs; if that fails, exclude those that cannot be shown alone.

    Args:
        show: called with the runs, possibly several times.
        found: the runs, and what could not be read.
        expected: exception that means there is nothing to show, not that a run is faulty.

    Returns:
        The result of ``show``; the excluded runs, and why.
    """
    try:
        return show(found), []
    except expected:
        raise
    except Exception:  # the readers missed a fault: one bad run must not hide the others
        good, problems = [], []
        for run in found.runs:
            try:
                show(Found([run], []))
            except expected:
                good.append(run)
            except Exception as failure:
                problems.append(unexpected(run.folder, failure))
            else:
                good.append(run)
        if not problems:
            raise
        return show(Found(good, [*found.problems, *problems])), problems
