"""What validations found while runs were trained, by seconds of training, from ``metrics.csv``."""

import csv
from typing import NamedTuple

import torch
from torch import Tensor

from lightning_modules.command_line.usage_error import UsageError
from lightning_modules.records.model_runs import Estimate, ModelRuns, estimate
from lightning_modules.records.results_file import RunResults
from lightning_modules.records.run_folder import RunFolder, shown


class Convergence(NamedTuple):
    """Of a model, at the V validations that all of its runs had."""

    seconds: Tensor  #: [V], mean over runs
    values: Estimate  #: [V]


def convergence(model: ModelRuns) -> Convergence:
    """Average over runs, validation by validation.

    Raises:
        UsageError: a run does not say what or when its validations found, or they have none at the
            same step.
    """
    found = [validations(run) for run in model.runs]
    steps = sorted(set.intersection(*map(set, found)))
    if not steps:
        raise UsageError(f"{model.label}: its runs have no validation at the same training step")
    values = torch.tensor([[run[step] for step in steps] for run in found])
    return Convergence(values[:, :, 0].mean(0), estimate(values[:, :, 1]))


def validations(run: RunResults) -> dict[int, tuple[float, float]]:
    """Seconds of training and what was found, by training step; a resumed run's later ones count.

    Raises:
        UsageError: there is nothing to read.
    """
    path, column = RunFolder(run.folder).metrics, f"val/{run.reading.validated}"
    try:
        with open(path, newline="") as file:
            rows = list(csv.DictReader(file))
    except OSError as failure:
        raise UsageError(f"can not read {shown(path)}: {failure.strerror}") from failure
    found = {
        int(row["step"]): (float(row["seconds"]), float(row[column]))
        for row in rows
        if row.get("seconds") and row.get(column)
    }
    if not found:
        raise UsageError(f"{shown(path)} has no {column} with seconds beside it")
    return found
