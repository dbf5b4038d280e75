"""Records that are kept in the repository: a small file for each run that counts."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning_modules.records.problems import Unreadable
from lightning_modules.records.run import read_results
from lightning_modules.records.run_folder import RunFolder, write_json

MOST_BYTES = 20_000
#: Digits of every number; standard errors over seeds are far larger.
DIGITS = 6
#: Entries that say where things were on one machine, and nothing about results.
OF_THE_MACHINE = ("checkpoint", "command", "run", "stage")


def keep(run: RunFolder, path: Path) -> None:
    """Keep a test's results, without checkpoints, as a file that the reader takes for the run.

    Args:
        run: a tested run.
        path: where to write the record; by custom ``<benchmark>/<model>/<seed>.json``.

    Raises:
        Unreadable: the run's results cannot be read, or are too large for a record.
    """
    read_results(run.results)
    record = record_of(json.loads(run.results.read_text()))
    size = len(json.dumps(record, indent=2))
    if size > MOST_BYTES:
        raise Unreadable(f"makes a record of {size:,} bytes, of which {MOST_BYTES:,} are allowed")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, record)


def record_of(results: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``results.json`` with fewer digits and without what concerns one machine."""
    content = {name: value for name, value in results.items() if name not in OF_THE_MACHINE}
    data = content["settings"]["data"]
    settings = {k: v for k, v in data.get("init_args", {}).items() if k != "data_dir"}
    content["settings"] = {**content["settings"], "data": {**data, "init_args": settings}}
    return _rounded(content)


def _rounded(content: Any) -> Any:
    if isinstance(content, float):
        return float(f"{content:.{DIGITS}g}")
    if isinstance(content, Mapping):
        return {name: _rounded(value) for name, value in content.items()}
    if isinstance(content, list):
        return [_rounded(value) for value in content]
    return content
