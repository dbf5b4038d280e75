"""Validations of a run, read from its ``metrics.csv``."""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from math import nan
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from lightning_modules.records.problems import Unreadable
from lightning_modules.records.reading import read_bytes

PREFIX, OF_STEPS = "val/", "_t/"
#: A column for one step of the sequence.
STEP = re.compile(rf"{PREFIX}.+{OF_STEPS}[0-9]{{1,6}}")
#: Replaces bytes that are not UTF-8.
DAMAGED = "\ufffd"
MOST_STEPS = 1e15


class History(NamedTuple):
    """The V validations of one run, in the order of training."""

    steps: Tensor  #: [V], of training
    seconds: Tensor  #: [V], of training; NaN if not logged
    values: Mapping[str, Tensor]  #: [V] for each metric
    curve_name: str  #: the metric that was logged for each step of the sequence; "" if none
    curve: Tensor  #: [T], of the last validation

    def last(self, name: str) -> float:
        """Return a measure at the last validation; NaN if it was not logged."""
        return float(self.values[name][-1]) if name in self.values else nan


def read_history(path: Path) -> tuple[History, list[str]]:
    """Read the intact rows of a file.

    Returns:
        The validations, and a message for each problem.

    Raises:
        Unreadable: no intact validation is left.
    """
    rows, problems = _rows(path)
    validations = _validations(rows)
    if not validations:
        raise Unreadable("; ".join([*problems, "has no validation yet"]))
    names = [name for name in validations[0] if name.startswith(PREFIX)]
    plain = {name.removeprefix(PREFIX): name for name in names if OF_STEPS not in name}
    by_step = sorted(filter(STEP.fullmatch, names), key=_place)
    malformed = [name for name in names if OF_STEPS in name and name not in by_step]
    problems += [
        f"has a column that belongs to no step, which is left out: {name:.40}" for name in malformed
    ]
    curve_name = _place(by_step[0])[0] if by_step else ""
    columns = [name for name in by_step if _place(name)[0] == curve_name]
    history = History(
        steps=_column(validations, "step"),
        seconds=_column(validations, "seconds"),
        values={name: _column(validations, column) for name, column in plain.items()},
        curve_name=curve_name,
        curve=torch.tensor([_number(validations[-1].get(name)) for name in columns]),
    )
    return history, problems


def _rows(path: Path) -> tuple[list[dict[str, str]], list[str]]:
    """Read the complete rows of the file; rows cut off or still being written are skipped."""
    # An invalid byte damages only its own line.
    *whole, tail = read_bytes(path).decode("utf-8", "replace").removeprefix("\ufeff").split("\n")
    if DAMAGED in (whole or [tail])[0]:
        raise Unreadable("is damaged: it is not a table")
    header, *rows = map(_cells, whole or [""])
    if "step" not in header:
        raise Unreadable("is damaged: its first line lacks the column `step`")
    if len(set(header)) < len(header):
        raise Unreadable("is damaged: its first line names a column twice")
    full_rows = (row for row in rows if len(row) == len(header))
    records = [dict(zip(header, row, strict=True)) for row in full_rows]
    good = [row for row in records if 0 <= _number(row.get("step")) <= MOST_STEPS]
    problems = [f"lacks the end of its last line, which is left out: {tail[:20]}..."] * bool(tail)
    damaged = sum(map(bool, whole[1:])) - len(good)
    if damaged:
        problems.append(f"has {damaged} damaged lines, which are left out")
    return good, problems


def _cells(line: str) -> list[str]:
    """Split one line, so that an unmatched quote affects no other; [] if it is damaged."""
    try:
        return [] if DAMAGED in line else next(csv.reader([line], strict=True), [])
    except csv.Error:
        return []


def _validations(rows: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    """Sort rows of validations by step; of several at one step, the last one counts.

    Older versions logged the command `validate` on a trained model at step 0, after the rows of
    training: these rows are skipped.
    """
    by_step: dict[float, dict[str, str]] = {}
    trained = 0.0
    for row in rows:
        step = float(row["step"])
        trained = max(trained, step)
        if any(_measured(row)) and (step > 0 or trained == 0):
            by_step[step] = dict(row)
    return [by_step[step] for step in sorted(by_step)]


def _place(name: str) -> tuple[str, int]:
    """Split a column such as "val/kl_t/07" into metric and step."""
    metric, _, step = name.removeprefix(PREFIX).rpartition(OF_STEPS)
    return metric, int(step)


def _measured(row: Mapping[str, str]) -> Iterator[bool]:
    return (name.startswith(PREFIX) and bool(value) for name, value in row.items())


def _column(rows: Sequence[Mapping[str, str]], name: str) -> Tensor:
    return torch.tensor([_number(row.get(name)) for row in rows], dtype=torch.float64)


def _number(text: str | None) -> float:
    try:
        return float(text or nan)
    except ValueError:
        return nan
