"""``model.json``: declarations of a run's model, so that reports do not need its class."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, get_args

from lightning_modules.declarations import Direction, Family
from lightning_modules.records.problems import Unreadable
from lightning_modules.records.reading import is_whole, read_json

#: Matplotlib's markers.
MARKERS = tuple("ov^<>sp*hHDdPX+x|_.,12348")
#: Most decimal places in a table.
MOST_DIGITS = 12


@dataclass(frozen=True)
class DeclaredModel:
    """A model, its core, and their look in plots.

    Args:
        model: class of the model.
        core: class of the memory core.
        contestant: class that is compared: the core, or a baseline model without a core of its own.
        colour: its colour in every plot, "#RRGGBB".
        marker: its marker, as Matplotlib names it.
        family: the model's family.
    """

    model: str
    core: str
    contestant: str
    colour: str
    marker: str
    family: Family

    def to_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {**vars(self), "family": self.family.to_json()}


def read_model_file(path: Path) -> DeclaredModel:
    """Read ``model.json``.

    Raises:
        Unreadable: the file is missing, damaged or malformed.
    """
    return declared_model(read_json(path))


def declared_model(content: Any) -> DeclaredModel:
    """Parse a declaration from the content of a file.

    Raises:
        Unreadable: the content is malformed.
    """
    try:
        names = {n: content[n] for n in ("model", "core", "contestant", "colour", "marker")}
        looks = re.fullmatch("#[0-9A-Fa-f]{6}", names["colour"]), names["marker"] in MARKERS
        if not (all(looks) and all(isinstance(name, str) for name in names.values())):
            raise ValueError
        return DeclaredModel(**names, family=_family(content["family"]))
    except (AttributeError, LookupError, TypeError, ValueError) as failure:
        raise Unreadable("does not have the form that runs write") from failure


def _family(content: Any) -> Family:
    """Parse a family, and check the values that tables and charts use."""
    if not isinstance(content, Mapping):
        raise TypeError
    family = Family.from_json(content)
    for measure in family.measures:
        whole = is_whole(measure.digits) and is_whole(measure.headline)
        if not (whole and 0 <= measure.digits <= MOST_DIGITS and measure.headline >= 0):
            raise ValueError
        if measure.better not in get_args(Direction):
            raise ValueError
        if measure.perfect is not None and not isfinite(measure.perfect):
            raise ValueError
        if not all(isinstance(name, str) for name in measure.benchmarks):
            raise TypeError
    if not all(isinstance(name, str) for name in family.memoryless):
        raise TypeError
    return family
