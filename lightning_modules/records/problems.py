"""What goes wrong when runs are read."""

from pathlib import Path
from typing import NamedTuple


class Unreadable(Exception):
    """Says why a file holds nothing that can be used."""


class NoRuns(Exception):
    """Says why there is nothing to show."""


class Problem(NamedTuple):
    """A file or folder that is left out, and why."""

    path: Path
    reason: str
