"""What a run logged of a metric, read from its ``metrics.csv``, which may be in the making."""

import csv
from pathlib import Path


def metric_values(path: Path, metric: str) -> list[float]:
    """Values in the order of training; where a run went on, the later one of a step counts.

    Args:
        path: of the file.
        metric: a column of it.
    """
    if not path.is_file():
        return []
    # What follows the last line break is still being written.
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]
    values: dict[float, float] = {}
    for row in csv.DictReader(lines):
        try:
            values[float(row["step"])] = float(row[metric])
        except (KeyError, TypeError, ValueError):
            # Another row's, or one that a killed process left unfinished.
            continue
    return [values[step] for step in sorted(values)]
