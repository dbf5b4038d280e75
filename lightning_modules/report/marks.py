"""Marks by which rows, lines and panels are filtered; ``static/page.js`` reads them."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple


class Marks(NamedTuple):
    """Marks of an element, which is shown while all of them are ticked.

    A mean over seeds stands for its runs. When one of their seeds is not ticked, the runs are shown
    instead: ``within`` has the seeds of the mean that a run is part of.
    """

    core: str | None = None
    seeds: Sequence[str] = ()
    within: Sequence[str] = ()
    benchmark: str | None = None

    def attributes(self) -> dict[str, str]:
        """Return the marks as attributes of an element."""
        return {f"data_{k}": v if isinstance(v, str) else json.dumps(v) for k, v in self.meta()}

    def meta(self) -> Any:
        """Return names and values of the marks that are not empty."""
        named = self._asdict().items()
        return {k: v if isinstance(v, str) else list(v) for k, v in named if v}.items()
