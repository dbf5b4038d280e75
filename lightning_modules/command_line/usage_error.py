"""Usage errors, with suggestions for what was probably meant."""

import os
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

from lightning_modules.command_line.configurations import FOLDER, listed
from lightning_modules.records.run_folder import shown


class UsageError(Exception):
    """A mistake by the user, with an explanation."""


def nearest(name: str, choices: Iterable[str]) -> str:
    """Return a clause that suggests the closest choice; empty if none is close."""
    by_lower_case = {choice.lower(): choice for choice in choices}
    close = get_close_matches(name.lower(), by_lower_case, n=1, cutoff=0.5)
    return f"; did you mean {by_lower_case[close[0]]}?" if close else ""


def nearest_file(path: str) -> str:
    """Return a clause that suggests the closest existing file; empty if none is close."""
    target = Path(os.path.relpath(path))  # as the user would type it, conf/ first
    files = [*listed(target.parent), *listed(FOLDER / target.parent)]
    # Compare names without suffixes, which would make any two look similar.
    names = {file.stem: file for file in reversed(files)}
    close = get_close_matches(target.stem, names, n=1, cutoff=0.6)
    return f"; did you mean {shown(names[close[0]])}?" if close else ""
