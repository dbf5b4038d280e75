"""Check the shapes of a NamedTuple's tensors against its fields' comments."""

import inspect
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

FIELD = re.compile(r"^    (\w+): .*#: (\[.*)$", re.MULTILINE)
#: The first shape of a comment, or one after a semicolon.
SHAPE = re.compile(r"(?:^|; )\[([^]]*)\]([^;]*)")
#: 3, N, N + 1, 2 Dk.
DIMENSION = re.compile(r"(?:(\d+) ?)?([A-Za-z]\w*)?(?: \+ (\d+))?")
KINDS = {"int64": torch.int64, "bool": torch.bool}


class Promise(NamedTuple):
    """One of the shapes of a field."""

    dimensions: list[str]
    kind: torch.dtype | None  #: None for floats


def promises(kind: type) -> dict[str, list[Promise]]:
    """Parse the comments in a NamedTuple's source, by field."""
    return {
        field: [promise(*match) for match in SHAPE.findall(comment)]
        for field, comment in FIELD.findall(inspect.getsource(kind))
    }


def promise(shape: str, suffix: str) -> Promise:
    """Build a shape from the text within brackets and after them."""
    word = re.match(r" (\w+)", suffix)
    return Promise(shape.split(", "), KINDS.get(word[1]) if word else None)


def bound(
    promised: Promise, tensor: Tensor, floats: torch.dtype, letters: Mapping[str, int]
) -> dict[str, int] | None:
    """Extend the letters by those of a shape; return None if it does not match."""
    names, shape = promised.dimensions, tensor.shape
    if names[0] == "...":
        names = names[1:]
        shape = shape[len(shape) - len(names) :]
    if len(names) != len(shape) or tensor.dtype != (promised.kind or floats):
        return None
    letters = dict(letters)
    for name, size in zip(names, shape, strict=True):
        parts = DIMENSION.fullmatch(name)
        assert parts, f"{name!r} is not a dimension"
        factor, letter, added = parts.groups()
        if letter is None:
            if size != int(factor):
                return None
            continue
        value, remainder = divmod(size - int(added or 0), int(factor or 1))
        if remainder or letters.setdefault(letter, value) != value:
            return None
    return letters


def solved(
    fields: Sequence[tuple[Tensor, list[Promise]]], floats: torch.dtype, letters: Mapping[str, int]
) -> Mapping[str, int] | None:
    """Find letters with which every tensor matches one of its shapes; None if there are none."""
    if not fields:
        return letters
    (tensor, choices), *remaining = fields
    for choice in choices:
        extended = bound(choice, tensor, floats, letters)
        if extended is None:
            continue
        if (solution := solved(remaining, floats, extended)) is not None:
            return solution
    return None


def assert_as_promised(state: Any, floats: torch.dtype, **letters: int) -> None:
    """Assert that all tensors of a (nested) NamedTuple have the shapes of their comments.

    Args:
        state: the NamedTuple.
        floats: dtype of floats.
        letters: letters with fixed values.
    """
    promised, fields = promises(type(state)), []
    for name, value in state._asdict().items():
        if hasattr(value, "_fields"):
            assert_as_promised(value, floats, **letters)
        if not isinstance(value, Tensor):
            continue
        where = f"{type(state).__name__}.{name}"
        assert promised.get(name), f"{where} has no comment with its shape, such as #: [B, N, W]"
        fields.append((value, promised[name]))
        actual = f"{where} is {list(value.shape)}, {value.dtype}"
        assert solved(fields, floats, letters), f"{actual}; expected as in its comment, {letters}"
