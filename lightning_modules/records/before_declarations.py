"""Declarations for runs from before runs kept their own; the only file here that knows models."""

from collections.abc import Container
from dataclasses import replace
from typing import Any

from lightning_modules.records.model_file import DeclaredModel
from lightning_modules.records.problems import Unreadable


def declared_before(name: str, core: str | None, curves: Container[str]) -> DeclaredModel:
    """Declare a model by its class as it is today, or by what was measured if the class is gone.

    Args:
        name: class of the model.
        core: class of its memory core; None where the run's files do not say.
        curves: names of the curves that the run has.

    Raises:
        Unreadable: nothing tells the model's family.
    """
    # They import every model, which runs that declare themselves do not need.
    import lightning_modules
    import memory_cores
    from memory_cores.parts.palette import NEUTRAL

    model: Any = getattr(lightning_modules, name, None)
    if model not in lightning_modules.MODELS:
        known = (f for f in lightning_modules.families() if f.curves[0].name in curves)
        family = next(known, None)
        if family is None:
            raise Unreadable(f"is of an unknown model, {name}")
        return DeclaredModel(name, core or "", core or name, *NEUTRAL, family)
    if core is None and model.fixed_core is not None:
        core = model.fixed_core.__name__
    bears: Any = getattr(memory_cores, core or "", None)
    look = model.baseline_look or getattr(bears, "look", NEUTRAL)
    contestant = name if model.baseline_look or core is None else core
    return DeclaredModel(name, core or "", contestant, look.colour, look.marker, model.family())


def completed(declared: DeclaredModel) -> DeclaredModel:
    """Add what scores are made from to a declaration from before families said so.

    It is what today's family of the same name says; a family that is not known here gets nothing.
    """
    if declared.family.memoryless:
        return declared
    import lightning_modules

    known = {family.name: family for family in lightning_modules.families()}
    today = known.get(declared.family.name)
    if today is None:
        return declared
    perfect = {measure.name: measure.perfect for measure in today.measures}
    measures = (replace(m, perfect=perfect.get(m.name)) for m in declared.family.measures)
    family = replace(declared.family, measures=tuple(measures), memoryless=today.memoryless)
    return replace(declared, family=family)
