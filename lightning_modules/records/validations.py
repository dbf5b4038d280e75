"""Validations in the course of a training, as its kept record has them."""

from collections.abc import Mapping, Sequence
from math import ceil, nan
from typing import Any

import torch

from lightning_modules.records.metrics_file import History
from lightning_modules.records.problems import Unreadable

#: Names of the training steps and of the seconds, beside those of measures.
STEP, SECONDS = "step", "seconds"
#: Validations that a record keeps; of longer histories every second one, or third, and the last.
MOST = 150


def kept_validations(history: History, names: Sequence[str]) -> dict[str, list[float]]:
    """Return columns of numbers: steps and seconds of training, and some measures.

    Args:
        history: of a run.
        names: measures; one that validations did not log is left out.
    """
    every = ceil(len(history.steps) / MOST)
    # Counted from the last one, which says where training ended.
    chosen = torch.arange(len(history.steps) - 1, -1, -every).flip(0)
    columns = {name: history.values[name] for name in names if name in history.values}
    return {
        STEP: history.steps[chosen].long().tolist(),
        SECONDS: history.seconds[chosen].tolist(),
        **{name: values[chosen].tolist() for name, values in columns.items()},
    }


def history_in(record: Mapping[str, Any]) -> History | None:
    """Read the validations of a record; None for one of a version that kept none.

    Raises:
        Unreadable: they have another form.
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
    known = [nan if number is None else float(number) for number in numbers]
    return torch.tensor(known, dtype=torch.float64)
