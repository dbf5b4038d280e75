"""``model.json``: the declarations of a run's model, with which the run is shown without it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning_modules.declarations import Family
from lightning_modules.records.problems import Unreadable
from lightning_modules.records.run_folder import read_json


@dataclass(frozen=True)
class DeclaredModel:
    """A model, its core, and how both look.

    Args:
        model: class of the model.
        core: class of the memory core.
        contestant: class that is compared: the core, or a baseline without one of its own.
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
        """Return plain values, for a file."""
        return {**vars(self), "family": self.family.to_json()}


def read_model_file(path: Path) -> DeclaredModel:
    """Read ``model.json``.

    Raises:
        Unreadable: it is missing, damaged, or of another form.
    """
    return declared_model(read_json(path))


def declared_model(content: Any) -> DeclaredModel:
    """Read a declaration from the content of a file.

    Raises:
        Unreadable: it has another form.
    """
    try:
        names = {n: str(content[n]) for n in ("model", "core", "contestant", "colour", "marker")}
        if not re.fullmatch("#[0-9A-Fa-f]{6}", names["colour"]) or len(names["marker"]) != 1:
            raise ValueError
        return DeclaredModel(**names, family=Family.from_json(_mapping(content["family"])))
    except (AttributeError, KeyError, TypeError, ValueError) as failure:
        raise Unreadable("has another form than what runs write") from failure


def _mapping(content: Any) -> Mapping[str, Any]:
    if not isinstance(content, Mapping):
        raise TypeError
    return content
