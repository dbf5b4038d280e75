"""Problems with reading runs."""

from pathlib import Path
from typing import NamedTuple

#: Begins the line on a run for whose fault no reader has words.
LAST_RESORT = "cannot be shown, for a reason that was not foreseen: "


class Unreadable(Exception):
    """A file holds nothing that can be used; the message says why."""


class NewerFormat(Unreadable):
    """A newer version of this code wrote a file, and with it the whole run."""


class NoRuns(Exception):
    """There is nothing to show; the message says why."""


class Problem(NamedTuple):
    """A file or folder that is left out, and why."""

    path: Path
    reason: str


def unforeseen(path: Path, failure: Exception) -> Problem:
    """Put a failure that no reader expects into a line."""
    said = " ".join(f"{type(failure).__name__}: {failure}".split())
    return Problem(path, f"{LAST_RESORT}{said[:200]}")
