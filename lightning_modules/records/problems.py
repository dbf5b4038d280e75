"""Errors and warnings about runs that cannot be read."""

from pathlib import Path
from typing import NamedTuple

#: Prefix of the message about a failure that no reader expects.
LAST_RESORT = "cannot be shown, for an unexpected reason: "


class Unreadable(Exception):
    """A file cannot be used; the message says why."""


class NewerFormat(Unreadable):
    """A file, and thus its run, was written by a newer version of this code."""


class NotFinite(Unreadable):
    """The results of a test have no finite number, as training diverged."""


class NoRuns(Exception):
    """There is nothing to show; the message says why."""


class Problem(NamedTuple):
    """A file or folder that is skipped, and why."""

    path: Path
    reason: str


def unexpected(path: Path, failure: Exception) -> Problem:
    """Describe an unexpected failure in one line."""
    message = " ".join(f"{type(failure).__name__}: {failure}".split())
    return Problem(path, f"{LAST_RESORT}{message[:200]}")
