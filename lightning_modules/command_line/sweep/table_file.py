"""Reads table files: several sweeps to run in order, one after the other."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from lightning_modules.command_line.sweep.checks import require_known
from lightning_modules.command_line.sweep.sweep_file import SweepFile, read_sweep, read_yaml
from lightning_modules.command_line.usage_error import UsageError
from lightning_modules.installation import CONFIGURATIONS, HOME, IN_CHECKOUT
from lightning_modules.records.run_folder import shown

SETTINGS = ("sweeps", "records")


class Table(NamedTuple):
    """The sweeps in a file: one sweep, or those of a table."""

    sweeps: list[SweepFile]  #: in order of execution
    records: Path | None  #: folder of kept records; their runs are not trained again


def read_table(path: Path) -> Table:
    """Read a table file, or a single sweep's file.

    Raises:
        UsageError: it is neither, or one of its sweeps cannot be run here.
    """
    content = read_yaml(path)
    if "sweeps" not in content:
        return Table([read_sweep(path)], None)
    try:
        return _table(path, content)
    except UsageError as mistake:
        raise UsageError(f"{shown(path)}: {mistake}") from mistake


def _table(path: Path, content: Mapping[str, Any]) -> Table:
    require_known(content, SETTINGS)
    names, records = content["sweeps"], content.get("records")
    if not (isinstance(names, list) and names and all(isinstance(name, str) for name in names)):
        raise UsageError(f"sweeps must be a list of files, got {names}")
    if records is not None and not isinstance(records, str):
        raise UsageError(f"records must be a folder, got {records}")
    sweeps = [_grid(path.parent / name) for name in names]
    return Table(sweeps, None if records is None else _records(path.parent / records))


def _records(folder: Path) -> Path | None:
    """Return the folder of records; without a checkout, the one in the working folder.

    An installed table names a checkout's ``docs/records``; a new working folder has none yet.
    """
    if IN_CHECKOUT or not folder.is_relative_to(CONFIGURATIONS):
        return folder
    own = Path(os.path.relpath(folder, HOME))
    return own if own.exists() else None


def _grid(path: Path) -> SweepFile:
    """Read a sweep that must be a grid, whose runs are known beforehand."""
    file = read_sweep(path)
    if file.method != "grid":
        raise UsageError(f"{shown(path)}: method must be grid in a table, got {file.method}")
    return file._replace(in_order=True)
