"""Compares results with earlier ones, as ratios to the LSTM of the same run to reduce noise."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LSTM_MS = "lstm_ms"


def read_results(path: Path) -> dict[str, Any] | None:
    """Read stored results; None if there are none."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def write_results(path: Path, results: Mapping[str, Any]) -> None:
    """Write results as indented JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def ratio(milliseconds: float | None, results: Mapping[str, Any]) -> float | None:
    """Divide a time by the LSTM's; None if either was not measured."""
    floor = results[LSTM_MS]
    return None if milliseconds is None or not floor else milliseconds / floor


def earlier_ratio(
    row: str, key: str, now: Mapping[str, Any], earlier: Mapping[str, Any] | None
) -> float | None:
    """Return a row's ratio in earlier results of the same sizes; None if there is none."""
    if earlier is None or earlier["sizes"] != now["sizes"] or row not in earlier:
        return None
    return ratio(earlier[row].get(key), earlier)


def about_earlier(now: Mapping[str, Any], earlier: Mapping[str, Any] | None) -> str:
    """Return which earlier results are compared, or why none are."""
    if earlier is None:
        return "before: no stored results for this machine (--keep stores these)"
    if earlier["sizes"] != now["sizes"]:
        return "before: the stored results have other sizes"
    return f"before: revision {earlier['git_revision']}"
