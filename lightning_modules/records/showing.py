"""The guard of last resort: a run that cannot be shown is left out, and all others are shown."""

from collections.abc import Callable
from typing import TypeVar

from lightning_modules.records.problems import NoRuns, Problem, unforeseen
from lightning_modules.records.reader import Found

T = TypeVar("T")


def shown_by(
    how: Callable[[Found], T], found: Found, expected: type[Exception] = NoRuns
) -> tuple[T, list[Problem]]:
    """Show runs; where that fails, leave out those that cannot be shown by themselves.

    Args:
        how: shows runs, and may be called again.
        found: the runs, and what could not be read.
        expected: raised where there is nothing to show; none of a run's faults.

    Returns:
        what ``how`` made of the runs; which of them are left out, and why.
    """
    try:
        return how(found), []
    except expected:
        raise
    except Exception:  # a reader let something pass: one run may not hide all others
        good, problems = [], []
        for run in found.runs:
            try:
                how(Found([run], []))
            except expected:
                good.append(run)
            except Exception as failure:
                problems.append(unforeseen(run.folder, failure))
            else:
                good.append(run)
        if not problems:
            raise
        return how(Found(good, [*found.problems, *problems])), problems
