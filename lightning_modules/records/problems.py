"""Problems with reading runs."""

from pathlib import Path
from typing import NamedTuple


class Unreadable(Exception):
    """A file holds nothing that can be used; the message says why."""


class NoRuns(Exception):
    """There is nothing to show; the message says why."""


class Problem(NamedTuple):
    """A file or folder that is left out, and why."""

    path: Path
    reason: str
