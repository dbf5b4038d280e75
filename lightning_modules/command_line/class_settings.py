"""Finds the classes and settings that the command line accepts."""

import inspect
from collections.abc import Iterator
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from jsonargparse import ArgumentParser

from datamodules import BenchmarkDataModule
from lightning_modules.records.run_folder import shown
from lightning_modules.sequence_model import SequenceModel

#: Base classes of the settings that take a class.
ROOTS: dict[str, type] = {"model": SequenceModel, "data": BenchmarkDataModule}


def plain_key(key: str) -> str:
    """Return a key as typed on the command line."""
    return key.replace(".init_args", "")


def class_at(path: str) -> type:
    """Import a class by its path."""
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)


def unimportable(path: str) -> str | None:
    """Return why a class cannot be imported by its full name; None if it can."""
    module, _, name = path.rpartition(".")
    try:
        found = import_module(module)
    except SyntaxError as mistake:
        where = shown(Path(mistake.filename or module))
        return f"cannot import {module}: {mistake.msg} ({where}, line {mistake.lineno})"
    except ModuleNotFoundError as missing:
        own = missing.name is not None and f"{module}.".startswith(f"{missing.name}.")
        hint = "; is its folder in PYTHONPATH?" if own else ""
        return f"cannot import {module}: {missing}{hint}"
    except Exception as failure:  # a user's own module may raise anything
        return f"cannot import {module}: {type(failure).__name__}: {failure}"
    if hasattr(found, name):
        return None
    near = get_close_matches(name, vars(found), n=1)
    return f"{module} has no {name}{f'; did you mean {module}.{near[0]}?' if near else ''}"


def concrete(base: type) -> Iterator[type]:
    """Yield the concrete subclasses of ``base``, each once."""
    below: dict[type, None] = {}

    def add(owner: type) -> None:
        subclass: type
        for subclass in owner.__subclasses__():
            below[subclass] = None
            add(subclass)

    add(base)
    yield from (found for found in below if not inspect.isabstract(found))


def class_names(key: str) -> list[str] | None:
    """List the valid class names for a key; None if the key takes no class."""
    root, _, name = key.partition(".")
    if root not in ROOTS:
        return None
    if not name:
        return sorted(c.__name__ for c in concrete(ROOTS[root]))
    for owner in concrete(ROOTS[root]):
        built = _built(settings_of(owner).get(name))
        if built is not None:
            return sorted(c.__name__ for c in concrete(built))
    return None


@cache
def settings_of(owner: type) -> dict[str, Any]:
    """Return the settings of a class and its base classes, with their types."""
    hints = type_hints(owner)
    # Excludes what the class fixes itself, as NP fixes its memory.
    names = ArgumentParser().add_class_arguments(owner, skip={"sizes"})
    return {name: hints.get(name) for name in names}


def type_hints(owner: type) -> dict[str, Any]:
    """Return the types of the constructor arguments of a class and its base classes."""
    hints: dict[str, Any] = {}
    for part in reversed(owner.__mro__):
        hints |= get_type_hints(part.__init__)  # type: ignore[misc]
    return hints


def _built(hint: Any) -> type | None:
    """Return what a setting builds: the result of ``Callable[[Sizes], Result]``."""
    arguments = get_args(hint)
    callable_type = get_origin(hint) is not None and len(arguments) == 2
    return arguments[1] if callable_type and isinstance(arguments[1], type) else None
