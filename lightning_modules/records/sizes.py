"""Sizes of runs' models: their parameters, and the state that they carry from step to step."""

from collections.abc import Mapping, Sequence
from typing import Any

from lightning_modules.records.reading import is_whole
from lightning_modules.records.run import Run

#: Names in a run's files, with the headings of their columns.
SIZES = {"parameters": "parameters", "state_size": "state size"}
#: Of a state that keeps all items, which files write as null.
GROWS = "grows"
UNKNOWN = "-"


def size_in_words(facts: Mapping[str, Any], name: str) -> str:
    """Write a size; a dash where it is not known, as in runs of before it was recorded."""
    size = facts.get(name, UNKNOWN)
    if size is None:
        return GROWS
    return f"{size:,}" if is_whole(size) else UNKNOWN


def sizes_in_words(runs: Sequence[Run]) -> list[str]:
    """Write each size that all of some runs have, or the least and the most."""
    return [_span(runs, name) for name in SIZES]


def _span(runs: Sequence[Run], name: str) -> str:
    sizes = {run.facts.get(name, UNKNOWN) for run in runs}
    whole = sorted(size for size in sizes if is_whole(size))
    ends = dict.fromkeys(f"{size:,}" for size in (*whole[:1], *whole[-1:]))
    return " to ".join([*ends, *([GROWS] if None in sizes else [])]) or UNKNOWN


def state_of(runs: Sequence[Run]) -> int | None:
    """Return the numbers that models of some runs carry; None if they grow or are not known."""
    sizes = [run.facts.get("state_size") for run in runs]
    return next((size for size in sizes if size is not None and is_whole(size) and size > 0), None)
