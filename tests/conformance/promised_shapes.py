"""Shapes that the comments of a NamedTuple's fields promise, against those of its tensors."""

import inspect
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

FIELD = re.compile(r"^    (\w+): .*#: (\[.*)$", re.MULTILINE)
#: The first shape of a comment, and others after a semicolon.
SHAPE = re.compile(r"(?:^|; )\[([^]]*)\]([^;]*)")
#: 3, N, N + 1, 2 Dk.
DIMENSION = re.compile(r"(?:(\d+) ?)?([A-Za-z]\w*)?(?: \+ (\d+))?")
KINDS = {"int64": torch.int64, "bool": torch.bool}


class Promise(NamedTuple):
    """One of the shapes that a field may have."""

    dimensions: list[str]
    kind: torch.dtype | None  #: None for the floats of the rest


def promises(kind: type) -> dict[str, list[Promise]]:
    """Read the promises in the comments of a NamedTuple's source, by field."""
    return {
        field: [promise(*found) for found in SHAPE.findall(comment)]
        for field, comment in FIELD.findall(inspect.getsource(kind))
    }


def promise(shape: str, rest: str) -> Promise:
    """Build a shape from the text within brackets and after them."""
    named = re.match(r" (\w+)", rest)
    return Promise(shape.split(", "), KINDS.get(named[1]) if named else None)


def bound(
    promised: Promise, tensor: Tensor, floats: torch.dtype, letters: Mapping[str, int]
) -> dict[str, int] | None:
    """The letters, with those that the shape adds; None where it does not fit."""
    names, shape = promised.dimensions, tensor.shape
    if names[0] == "...":
        names = names[1:]
        shape = shape[len(shape) - len(names) :]
    if len(names) != len(shape) or tensor.dtype != (promised.kind or floats):
        return None
    letters = dict(letters)
    for name, size in zip(names, shape, strict=True):
        parts = DIMENSION.fullmatch(name)
        assert parts, f"{name!r} is no dimension"
        factor, letter, more = parts.groups()
        if letter is None:
            if size != int(factor):
                return None
            continue
        value, left = divmod(size - int(more or 0), int(factor or 1))
        if left or letters.setdefault(letter, value) != value:
            return None
    return letters


def solved(
    fields: Sequence[tuple[Tensor, list[Promise]]], floats: torch.dtype, letters: Mapping[str, int]
) -> Mapping[str, int] | None:
    """Letters with which each tensor has one of the shapes that it may have."""
    if not fields:
        return letters
    (tensor, choices), *others = fields
    for choice in choices:
        more = bound(choice, tensor, floats, letters)
        if more is not None and (found := solved(others, floats, more)) is not None:
            return found
    return None


def assert_as_promised(found: Any, floats: torch.dtype, **letters: int) -> None:
    """Assert that all tensors of a NamedTuple, and of those in it, have their comments' shapes.

    Args:
        found: the NamedTuple.
        floats: the type of what is no integer or bool.
        letters: numbers that are known.
    """
    promised, fields = promises(type(found)), []
    for name, value in found._asdict().items():
        if hasattr(value, "_fields"):
            assert_as_promised(value, floats, **letters)
        if not isinstance(value, Tensor):
            continue
        where = f"{type(found).__name__}.{name}"
        assert promised.get(name), f"{where} has no comment with its shape, such as #: [B, N, W]"
        fields.append((value, promised[name]))
        is_as = f"{where} is {list(value.shape)}, {value.dtype}"
        assert solved(fields, floats, letters), f"{is_as}: not what its comment says, {letters}"
