"""Sizes of runs' models: their parameters, and the state that they carry from step to step."""

from collections.abc import Sequence

from lightning_modules.records.reading import is_whole
from lightning_modules.records.run import Run

#: Names in a run's files, with the headings of their columns.
SIZES = {"parameters": "parameters", "state_size": "state size"}
#: Of a state that keeps all items, which files write as null.
GROWS = "grows"
#: Of runs of before a size was recorded.
UNKNOWN = "-"


def size_in_words(runs: Sequence[Run], name: str) -> str:
    """Write the size that the models of some runs have, or the least and the most."""
    sizes = [run.facts.get(name, UNKNOWN) for run in runs]
    whole = sorted(size for size in sizes if is_whole(size))
    ends = dict.fromkeys(f"{size:,}" for size in (*whole[:1], *whole[-1:]))
    return " to ".join([*ends, *([GROWS] * any(size is None for size in sizes))]) or UNKNOWN


def sizes_in_words(runs: Sequence[Run]) -> list[str]:
    """Write all sizes."""
    return [size_in_words(runs, name) for name in SIZES]


def state_of(runs: Sequence[Run]) -> int | None:
    """Return the numbers that models of some runs carry; None if they grow or are not known."""
    sizes = (run.facts.get("state_size") or 0 for run in runs)
    return next((size for size in sizes if is_whole(size) and size > 0), None)
