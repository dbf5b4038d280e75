"""Declarations of runs that are older than ``model.json``; only this file here knows models."""

from typing import Any

from lightning_modules.records.model_file import DeclaredModel
from lightning_modules.records.problems import Unreadable


def declared_before(name: str, core: str | None) -> DeclaredModel:
    """Declare a model by its class, as it is today.

    Args:
        name: class of the model.
        core: class of its memory core; None where the run's files do not say.

    Raises:
        Unreadable: there is no such class any more.
    """
    import lightning_modules
    import memory_cores

    model: Any = getattr(lightning_modules, name, None)
    if not hasattr(model, "family"):
        raise Unreadable(f"is of a model that is not known here, {name}")
    bears: Any = getattr(memory_cores, core or "", None)
    look = model.baseline_look or getattr(bears, "look", memory_cores.NoMemory.look)
    contestant = name if model.baseline_look or core is None else core
    return DeclaredModel(name, core or "", contestant, look.colour, look.marker, model.family())
