"""Declarations for runs older than ``model.json``; the only module here that imports models."""

from collections.abc import Container
from dataclasses import replace
from typing import Any

from lightning_modules.records.model_file import DeclaredModel
from lightning_modules.records.problems import Unreadable


def declared_before(name: str, core: str | None, curves: Container[str]) -> DeclaredModel:
    """Declare a model by its current class, or by its curves if the class no longer exists.

    Args:
        name: class of the model.
        core: class of its memory core; None if the run's files do not name it.
        curves: names of the curves that the run has.

    Raises:
        Unreadable: the model's family is unknown.
    """
    # Imported here: these import every model, which newer runs do not need.
    import lightning_modules
    import memory_cores
    from memory_cores.parts.palette import NEUTRAL

    model: Any = getattr(lightning_modules, name, None)
    if model not in lightning_modules.MODELS:
        candidates = (f for f in lightning_modules.families() if f.curves[0].name in curves)
        family = next(candidates, None)
        if family is None:
            raise Unreadable(f"is of an unknown model, {name}")
        return DeclaredModel(name, core or "", core or name, *NEUTRAL, family)
    if core is None and model.fixed_core is not None:
        core = model.fixed_core.__name__
    core_class: Any = getattr(memory_cores, core or "", None)
    look = model.baseline_look or getattr(core_class, "look", NEUTRAL)
    contestant = name if model.baseline_look or core is None else core
    return DeclaredModel(name, core or "", contestant, look.colour, look.marker, model.family())


def with_scoring(declared: DeclaredModel) -> DeclaredModel:
    """Add what scores need to a declaration older than these fields.

    The values are those of the current family of the same name. An unknown family is unchanged.
    """
    if declared.family.memoryless:
        return declared
    import lightning_modules

    families = {family.name: family for family in lightning_modules.families()}
    current = families.get(declared.family.name)
    if current is None:
        return declared
    perfect = {measure.name: measure.perfect for measure in current.measures}
    measures = (replace(m, perfect=perfect.get(m.name)) for m in declared.family.measures)
    family = replace(declared.family, measures=tuple(measures), memoryless=current.memoryless)
    return replace(declared, family=family)
