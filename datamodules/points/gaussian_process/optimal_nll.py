"""The oracle's target NLL and calibration on a fixed set per step, to compare models with.

It takes minutes (every step of every sequence needs a Cholesky factor of the grid's size) and is
the same for all models, so it is stored in a file named by the set's hash.
"""

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from datamodules.loading.durable_file import replacing
from datamodules.points.batch import FunctionSequences
from datamodules.points.gaussian_process.dataset import FunctionDataset
from datamodules.points.gaussian_process.oracle import nll, predict, squared_z

#: Number of sequences conditioned at once.
TOGETHER = 8


def optimal_nll(dataset: FunctionDataset, path: Path) -> dict[str, Tensor]:
    """Return the mean optimal NLL per step, by groups of steps and targets, in nats per target.

    It includes the oracle's calibration. Every sequence has the same weight, as in models' metrics.

    Args:
        dataset: of a fixed set.
        path: file of the result; written if it does not exist, is damaged or not complete.

    Returns:
        Curves float32 [T]: ``nll`` of all targets, ``nll_with_context`` and ``nll_without_context``
        of steps with and without a context, ``nll_seen`` and ``nll_unseen`` of targets that are
        context points of their step and of others, ``squared_z`` of all targets (squared errors
        over variances, which are `FLOOR`^2 at least); NaN where a step has none.
    """
    content = read(path)
    # Files of earlier versions lack the calibration.
    if "squared_z" not in content:
        kind = "test" if dataset.split == "test" else "validation"
        of_set = f"{len(dataset):,} {kind} sequences"
        print(f"Computing the optimal NLL of {of_set} once; it is stored in {path}", flush=True)
        content = plain(curves(dataset))
        write(path, content)
    return tensors(content)


def curves(dataset: FunctionDataset) -> dict[str, Tensor]:
    """Compute what ``optimal_nll`` returns."""
    parts = []
    for first in range(0, len(dataset), TOGETHER):
        batch = dataset.__getitems__(range(first, min(first + TOGETHER, len(dataset))))
        prediction = predict(batch, dataset.recipe.grid)
        target = batch.target_y[..., 0].double()
        groups = by_group(nll(target, prediction.mean, prediction.variance), batch)
        z_scores = squared_z(target, prediction.mean, prediction.variance)
        groups["squared_z"] = by_group(z_scores, batch)["nll"]
        parts.append(groups)
    return {name: torch.cat([part[name] for part in parts]).nanmean(0) for name in parts[0]}


def by_group(values: Tensor, batch: FunctionSequences) -> dict[str, Tensor]:
    """Average values [B, T, M] over the targets of each step, [B, T]; NaN where there are none."""
    real, seen = batch.target_mask, batch.target_seen
    context = batch.context_mask.any(2, keepdim=True)
    groups = {
        "nll": real,
        "nll_with_context": real & context,
        "nll_without_context": real & ~context,
        "nll_seen": seen,
        "nll_unseen": real & ~seen,
    }
    return {
        name: values.masked_fill(~mask, 0).sum(2) / mask.sum(2) for name, mask in groups.items()
    }


def plain(curves: dict[str, Tensor]) -> dict[str, list[float | None]]:
    """Convert curves to lists for JSON, which has no NaN."""
    return {
        name: [None if value.isnan() else value.item() for value in curve]
        for name, curve in curves.items()
    }


def tensors(curves: dict[str, list[float | None]]) -> dict[str, Tensor]:
    """Convert lists back to curves, float32 [T]."""
    return {
        name: torch.tensor([float("nan") if value is None else value for value in curve])
        for name, curve in curves.items()
    }


def write(path: Path, content: dict[str, Any]) -> None:
    """Write JSON atomically; its folder is created if needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        file.write(f"{json.dumps(content)}\n".encode())


def read(path: Path) -> dict[str, Any]:
    """Read what `write` wrote; empty if there is no such file, or if it is damaged."""
    try:
        content = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
