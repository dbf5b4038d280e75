"""What rows, lines and panels are filtered by; ``static/page.js`` reads it."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple


class Marks(NamedTuple):
    """Shown while all of these are ticked.

    A mean over seeds stands for its runs, which are shown in its stead when one of their seeds is
    not ticked: ``within`` has the seeds of the mean that a run is part of.
    """

    core: str | None = None
    seeds: Sequence[str] = ()
    within: Sequence[str] = ()
    benchmark: str | None = None

    def attributes(self) -> dict[str, str]:
        """Of an element."""
        return {f"data_{k}": v if isinstance(v, str) else json.dumps(v) for k, v in self.meta()}

    def meta(self) -> Any:
        """Names and values, of those that there are."""
        named = self._asdict().items()
        return {k: v if isinstance(v, str) else list(v) for k, v in named if v}.items()
