"""Validations during training, averaged over a group's runs."""

from typing import NamedTuple

import torch
from torch import Tensor

from lightning_modules.records.groups import Estimate, Group, estimate
from lightning_modules.records.metrics_file import History


class Learning(NamedTuple):
    """A group's mean at the V validations that all of its runs share."""

    steps: Tensor  #: [V], of training
    seconds: Tensor  #: [V], of training, mean over runs; NaN if not logged
    values: Estimate  #: [V]


def learning(group: Group, name: str) -> Learning | None:
    """Average a measure over runs at each validation.

    Args:
        group: the group; runs without a history are skipped.
        name: the name of the measure.

    Returns:
        The means; None if the runs share no validation step.
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
    """Return a measure at every validation, [V]; NaN where it was not logged."""
    return history.values.get(name, torch.full_like(history.steps, torch.nan))
