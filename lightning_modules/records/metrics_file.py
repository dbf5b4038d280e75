"""Validations of a run, read from its ``metrics.csv``."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from math import isfinite, nan
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from lightning_modules.records.problems import Unreadable

PREFIX, OF_STEPS = "val/", "_t/"


class History(NamedTuple):
    """The V validations of one run, in the order of training."""

    steps: Tensor  #: [V], of training
    seconds: Tensor  #: [V], of training; NaN where a version did not log them
    values: Mapping[str, Tensor]  #: [V] of each metric
    curve_name: str  #: the metric that is known step by step of the sequence; "" if none is
    curve: Tensor  #: [T], of the last validation

    def last(self, name: str) -> float:
        """Return a measure at the last validation, NaN if it is not known."""
        return float(self.values[name][-1]) if name in self.values else nan


def read_history(path: Path) -> tuple[History, list[str]]:
    """Read what is whole in a file, and say what is not.

    Raises:
        Unreadable: no validation is left.
    """
    rows, problems = _rows(path)
    validations = _validations(rows)
    if not validations:
        raise Unreadable("; ".join([*problems, "has no validation yet"]))
    names = [name for name in validations[0] if name.startswith(PREFIX)]
    plain = {name.removeprefix(PREFIX): name for name in names if OF_STEPS not in name}
    by_step = sorted((name for name in names if OF_STEPS in name), key=_place)
    history = History(
        steps=_column(validations, "step"),
        seconds=_column(validations, "seconds"),
        values={name: _column(validations, column) for name, column in plain.items()},
        curve_name=by_step[0].removeprefix(PREFIX).partition(OF_STEPS)[0] if by_step else "",
        curve=torch.tensor([_number(validations[-1].get(name)) for name in by_step]),
    )
    return history, problems


def _rows(path: Path) -> tuple[list[dict[str, str]], list[str]]:
    """Read the whole rows of the file; a row that is being written, or was cut off, is left out."""
    try:
        *whole, rest = path.read_text(encoding="utf-8").split("\n")
        read = list(csv.DictReader(whole, restval=""))
    except OSError as failure:
        raise Unreadable(f"cannot be read: {failure.strerror}") from failure
    except (UnicodeDecodeError, csv.Error) as failure:
        raise Unreadable("is damaged: no table") from failure
    if not whole or "step" not in next(csv.reader(whole), []):
        raise Unreadable("is damaged: its first line names no column `step`")
    good = [row for row in read if None not in row and isfinite(_number(row["step"]))]
    problems = [f"lacks the end of its last line, which is left out: {rest[:20]}..."] * bool(rest)
    if len(good) < len(read):
        problems.append(f"has {len(read) - len(good)} damaged lines, which are left out")
    return good, problems


def _validations(rows: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    """Sort rows of validations by step; of several at one step, the last one counts."""
    found = {float(row["step"]): dict(row) for row in rows if any(_measured(row))}
    return [found[step] for step in sorted(found)]


def _place(name: str) -> tuple[str, int]:
    """Split a column such as "val/kl_t/07" into metric and step."""
    metric, _, step = name.partition(OF_STEPS)
    return metric, int(step)


def _measured(row: Mapping[str, str]) -> Iterator[bool]:
    return (name.startswith(PREFIX) and bool(value) for name, value in row.items())


def _column(rows: Sequence[Mapping[str, str]], name: str) -> Tensor:
    return torch.tensor([_number(row.get(name)) for row in rows], dtype=torch.float64)


def _number(text: str | None) -> float:
    return float(text) if text and _is_number(text) else nan


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
