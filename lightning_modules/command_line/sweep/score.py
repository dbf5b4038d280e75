"""A run's metric."""

import csv
from math import isfinite

from lightning_modules.records.run_folder import RunFolder


def last_logged(folder: RunFolder, metric: str) -> float | None:
    """The last value of a metric, as W&B's summary has it; None if there is no finite one.

    Args:
        folder: of the run.
        metric: a column of ``metrics.csv``.
    """
    if not folder.metrics.is_file():
        return None
    with folder.metrics.open(newline="") as file:
        logged = [row[metric] for row in csv.DictReader(file) if row.get(metric)]
    value = float(logged[-1]) if logged else None
    return value if value is not None and isfinite(value) else None
