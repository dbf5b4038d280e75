"""Validations in the course of training, averaged over a group's runs."""

from typing import NamedTuple

import torch
from torch import Tensor

from lightning_modules.records.groups import Estimate, Group, estimate
from lightning_modules.records.metrics_file import History


class Learning(NamedTuple):
    """A group at the V validations that all of its runs had."""

    steps: Tensor  #: [V], of training
    seconds: Tensor  #: [V], of training, mean over runs; NaN where a version did not log them
    values: Estimate  #: [V]


def learning(group: Group, name: str) -> Learning | None:
    """Average a measure over runs, validation by validation.

    Args:
        group: the group; runs without a history are left out.
        name: the name of the measure.

    Returns:
        None where the runs have no validation at the same training step.
    """
    validated_runs = [(run.seed, run.history) for run in group.runs if run.history is not None]
    if not validated_runs:
        return None
    seeds, histories = zip(*validated_runs, strict=True)
    common = set.intersection(*(set(history.steps.tolist()) for history in histories))
    if not common:
        return None
    steps = torch.tensor(sorted(common), dtype=torch.float64)
    places = [torch.isin(history.steps, steps) for history in histories]
    values, seconds = (
        torch.stack([part(h)[place] for h, place in zip(histories, places, strict=True)])
        for part in (lambda h: validated(h, name), lambda h: h.seconds)
    )
    return Learning(steps, seconds.mean(0), estimate(values, seeds))


def validated(history: History, name: str) -> Tensor:
    """Return a measure at every validation, [V]; NaN where it is not known."""
    return history.values.get(name, torch.full_like(history.steps, torch.nan))
