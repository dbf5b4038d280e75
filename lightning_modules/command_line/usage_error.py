"""Mistakes of the user's, and what was probably meant."""

import os
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

from lightning_modules.command_line.configurations import FOLDER, listed
from lightning_modules.records.run_folder import shown


class UsageError(Exception):
    """A mistake of the user's, explained."""


def nearest(name: str, choices: Iterable[str]) -> str:
    """The choice that was probably meant, as the end of a sentence; empty if none is near."""
    known = {choice.lower(): choice for choice in choices}
    close = get_close_matches(name.lower(), known, n=1, cutoff=0.5)
    return f"; did you mean {known[close[0]]}?" if close else ""


def nearest_file(path: str) -> str:
    """The existing file that was probably meant, as the end of a sentence."""
    wanted = Path(os.path.relpath(path))  # as the user would type it, conf/ first
    files = [*listed(wanted.parent), *listed(FOLDER / wanted.parent)]
    # Without their endings, which make any two of them look alike.
    names = {file.stem: file for file in reversed(files)}
    close = get_close_matches(wanted.stem, names, n=1, cutoff=0.6)
    return f"; did you mean {shown(names[close[0]])}?" if close else ""
