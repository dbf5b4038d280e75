"""A table of results: several sweeps that are run one after the other, the first one first."""

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
    """What a file names: one sweep, or the sweeps that fill a table."""

    sweeps: list[SweepFile]  #: in their order
    records: Path | None  #: folder of kept records; what is in there is not trained again


def read_table(path: Path) -> Table:
    """Read a file of sweeps, each in W&B's format, or a sweep's own file.

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
    """Return the folder of records, of the working folder where there is no checkout.

    An installed table names ``docs/records`` of a checkout; in a new folder nothing is kept yet.
    """
    if IN_CHECKOUT or not folder.is_relative_to(CONFIGURATIONS):
        return folder
    own = Path(os.path.relpath(folder, HOME))
    return own if own.exists() else None


def _grid(path: Path) -> SweepFile:
    """Read a sweep whose runs are known before it begins."""
    file = read_sweep(path)
    if file.method != "grid":
        raise UsageError(f"{shown(path)}: method must be grid in a table, got {file.method}")
    return file._replace(in_order=True)
