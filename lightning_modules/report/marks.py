"""Marks for filtering rows, lines and panels; ``static/page.js`` reads them."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple


class Marks(NamedTuple):
    """Marks of an element, which is shown while all of them are ticked.

    A mean over seeds hides its runs while all of their seeds are ticked; otherwise the runs are
    shown instead. ``within`` has the seeds of the mean that includes a run.
    """

    core: str | None = None
    seeds: Sequence[str] = ()
    within: Sequence[str] = ()
    benchmark: str | None = None

    def attributes(self) -> dict[str, str]:
        """Return the marks as HTML attributes."""
        return {f"data_{k}": v if isinstance(v, str) else json.dumps(v) for k, v in self.meta()}

    def meta(self) -> Any:
        """Return names and values of the non-empty marks."""
        named = self._asdict().items()
        return {k: v if isinstance(v, str) else list(v) for k, v in named if v}.items()
