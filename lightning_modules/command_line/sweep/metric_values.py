"""Reads a metric's values from a run's ``metrics.csv``, which may still be growing."""

import csv
from pathlib import Path


def metric_values(path: Path, metric: str) -> list[float]:
    """Return a metric's values by training step; after a resume, a step's later value counts.

    Args:
        path: path of the file.
        metric: name of the column.
    """
    if not path.is_file():
        return []
    # The last line may be incomplete.
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]
    values: dict[float, float] = {}
    for row in csv.DictReader(lines):
        try:
            values[float(row["step"])] = float(row[metric])
        except (KeyError, TypeError, ValueError):
            # A row without this metric, or one that a killed process left incomplete.
            continue
    return [values[step] for step in sorted(values)]
