"""Checks that a checkpoint can be restored into the model, before a run's folder is touched."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import lightning as L
import torch

from lightning_modules.command_line.usage_error import UsageError, nearest_file
from lightning_modules.records.run_folder import shown
from lightning_modules.records.settings import flattened

#: Every checkpoint of Lightning's holds these.
PARTS = {"state_dict", "global_step", "pytorch-lightning_version"}
MOST_DIFFERENCES = 2
ABSENT = object()


def require_file(path: str) -> None:
    """Check that a checkpoint is there.

    Raises:
        UsageError: it is not.
    """
    if not Path(path).is_file():
        raise UsageError(f"ckpt_path: there is no file {path}{nearest_file(path)}")


def require_restorable(path: Path, model: L.LightningModule, weights_only: bool = True) -> None:
    """Check a checkpoint against the model.

    Args:
        path: of the checkpoint.
        model: to restore into.
        weights_only: refuse a file that holds more than tensors and plain values.

    Raises:
        UsageError: the file is no checkpoint, or one of another model.
    """
    checkpoint = read_checkpoint(path, weights_only)
    if shapes(checkpoint["state_dict"]) == shapes(model.state_dict()):
        return
    lines = list(differences(model.hparams, checkpoint.get("hyper_parameters", {})))
    lines = lines[:MOST_DIFFERENCES] or ["its tensors have other names or shapes"]
    raise UsageError("\n  ".join([f"ckpt_path: {shown(path)} is of another model:", *lines]))


def read_checkpoint(path: Path, weights_only: bool = True) -> dict[str, Any]:
    """Open a checkpoint; its tensors stay on disk until they are used."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=weights_only, mmap=True)
    except OSError as failure:
        raise UsageError(f"ckpt_path: cannot read {shown(path)}: {failure.strerror}") from failure
    except Exception as failure:
        # What another kind of file leads to depends on its first bytes.
        raise UsageError(f"ckpt_path: {shown(path)} is no checkpoint, or damaged") from failure
    if not isinstance(content, dict) or not content.keys() >= PARTS:
        raise UsageError(f"ckpt_path: {shown(path)} is no checkpoint of a run")
    return content


def shapes(state_dict: Mapping[str, Any]) -> dict[str, Any]:
    """Names and shapes: what decides whether weights can be restored."""
    return {name: getattr(value, "shape", None) for name, value in state_dict.items()}


def differences(given: Mapping[str, Any], saved: Mapping[str, Any]) -> Iterator[str]:
    """Settings of the model that differ, each in a line; those of a class only if it is the same.

    Args:
        given: the model's hyperparameters.
        saved: the checkpoint's.
    """
    before, now = named_settings(saved), named_settings(given)
    if before.get("model") != now.get("model"):
        now, before = ({"model": s.get("model")} for s in (now, before))
    owners = {key for key in now if now[key] != before.get(key, ABSENT)}
    for key in now:
        known = key in before and key.rpartition(".")[0] not in owners
        if known and now[key] != before[key]:
            yield f"{key} is {now[key]} here, {before[key]} in the checkpoint"


def named_settings(hyperparameters: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by the keys of the command line, classes by their names."""
    settings = {k: v for k, v in hyperparameters.items() if not k.startswith("_")}
    described = {"class_path": hyperparameters.get("_class_path", ""), "init_args": settings}
    return dict(flattened("model", described))
