"""Validations during training, in the form of kept records."""

from collections.abc import Mapping, Sequence
from math import ceil, nan
from typing import Any

import torch

from lightning_modules.records.metrics_file import History
from lightning_modules.records.problems import Unreadable

#: Columns of training steps and seconds, beside those of measures.
STEP, SECONDS = "step", "seconds"
#: Most validations in a record; longer histories are thinned evenly, and keep the last.
MOST = 150


def kept_validations(history: History, names: Sequence[str]) -> dict[str, list[float]]:
    """Return columns of training steps, seconds and some measures.

    Args:
        history: of a run.
        names: measures; those that were not logged are skipped.
    """
    every = ceil(len(history.steps) / MOST)
    # Counted from the last one, which is always kept.
    kept = torch.arange(len(history.steps) - 1, -1, -every).flip(0)
    columns = {name: history.values[name] for name in names if name in history.values}
    return {
        STEP: history.steps[kept].long().tolist(),
        SECONDS: history.seconds[kept].tolist(),
        **{name: values[kept].tolist() for name, values in columns.items()},
    }


def history_in(record: Mapping[str, Any]) -> History | None:
    """Read the validations of a record; None for older records without them.

    Raises:
        Unreadable: they are malformed.
    """
    columns = record.get("validations")
    if columns is None:
        return None
    try:
        steps = _column(columns[STEP])
        values = {name: _column(column) for name, column in columns.items()}
        if len(steps) == 0 or any(len(column) != len(steps) for column in values.values()):
            raise ValueError
    except (AttributeError, KeyError, TypeError, ValueError) as failure:
        raise Unreadable("is damaged: its validations are not columns of equal length") from failure
    seconds = values[SECONDS] if SECONDS in values else torch.full_like(steps, nan)
    measured = {name: v for name, v in values.items() if name not in (STEP, SECONDS)}
    return History(steps, seconds, measured, "", torch.empty(0))


def _column(numbers: Sequence[float | None]) -> torch.Tensor:
    values = [nan if number is None else float(number) for number in numbers]
    return torch.tensor(values, dtype=torch.float64)
