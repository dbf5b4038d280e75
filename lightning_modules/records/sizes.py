"""Model sizes: numbers of parameters, and of values carried from step to step."""

from collections.abc import Sequence

from lightning_modules.records.reading import is_whole
from lightning_modules.records.run import Run

#: Names in a run's files, with their column headings.
SIZES = {"parameters": "parameters", "state_size": "state size"}
#: Shown for a state that keeps all items; null in files.
GROWS = "grows"
#: Shown for older runs, whose size was not recorded.
UNKNOWN = "-"


def size_in_words(runs: Sequence[Run], name: str) -> str:
    """Format the size of some runs' models, or its range."""
    sizes = [run.facts.get(name, UNKNOWN) for run in runs]
    whole = sorted(size for size in sizes if is_whole(size))
    ends = dict.fromkeys(f"{size:,}" for size in (*whole[:1], *whole[-1:]))
    return " to ".join([*ends, *([GROWS] * any(size is None for size in sizes))]) or UNKNOWN


def sizes_in_words(runs: Sequence[Run]) -> list[str]:
    """Format all sizes."""
    return [size_in_words(runs, name) for name in SIZES]


def state_of(runs: Sequence[Run]) -> int | None:
    """Return the state size of some runs' models; None if it grows or is unknown."""
    sizes = (run.facts.get("state_size") or 0 for run in runs)
    return next((size for size in sizes if is_whole(size) and size > 0), None)
