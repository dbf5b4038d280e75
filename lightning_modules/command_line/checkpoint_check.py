"""Checks that a checkpoint can be restored into the model, before a run's folder is touched."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import lightning as L
import torch

from lightning_modules.command_line.usage_error import UsageError, nearest_file
from lightning_modules.records.checkpoint_file import FORMAT, checksum_holds
from lightning_modules.records.run_folder import RunFolder, shown
from lightning_modules.records.settings import flattened

#: Keys of every Lightning checkpoint.
PARTS = {"state_dict", "global_step", "pytorch-lightning_version"}
MOST_DIFFERENCES = 2
ABSENT = object()


def require_file(path: str) -> None:
    """Check that a checkpoint exists.

    Raises:
        UsageError: it does not exist.
    """
    if not Path(path).is_file():
        raise UsageError(f"ckpt_path: there is no file {path}{nearest_file(path)}")


def require_restorable(
    path: Path, model: L.LightningModule, weights_only: bool = True, resumes: bool = False
) -> dict[str, Any]:
    """Check that a checkpoint fits the model.

    Args:
        path: the checkpoint's file.
        model: the model to restore into.
        weights_only: refuse a file that holds more than tensors and plain values.
        resumes: whether training will resume from it.

    Returns:
        the checkpoint's content.

    Raises:
        UsageError: the file is not a checkpoint, is another model's, or lacks the training state.
    """
    checkpoint = read_checkpoint(path, weights_only)
    if resumes:
        _require_state_of_training(path, checkpoint)
    if shapes(checkpoint["state_dict"]) == shapes(model.state_dict()):
        return checkpoint
    lines = list(differences(model.hparams, checkpoint.get("hyper_parameters", {})))
    lines = lines[:MOST_DIFFERENCES] or ["its tensors have other names or shapes"]
    raise UsageError("\n  ".join([f"ckpt_path: {shown(path)} is from another model:", *lines]))


def _require_state_of_training(path: Path, checkpoint: Mapping[str, Any]) -> None:
    if "optimizer_states" not in checkpoint:
        raise UsageError(
            f"ckpt_path: {shown(path)} has only weights; training needs the whole state"
        )
    if format_of(checkpoint) < FORMAT:
        raise UsageError(
            f"ckpt_path: {shown(path)} is from an older version, whose noise cannot be continued; "
            "test, validate and predict accept it"
        )


def read_checkpoint(path: Path, weights_only: bool = True) -> dict[str, Any]:
    """Open a checkpoint; its tensors stay on disk until they are used.

    Raises:
        UsageError: not a checkpoint, or it is damaged, contains code, or is from a newer version.
    """
    try:
        intact = checksum_holds(path)
        if intact is False:
            raise UsageError(_damaged(path))
        content = torch.load(path, map_location="cpu", weights_only=weights_only, mmap=True)
    except OSError as failure:
        raise UsageError(f"ckpt_path: cannot read {shown(path)}: {failure.strerror}") from failure
    except UsageError:
        raise
    except Exception as failure:
        code = re.search(r"GLOBAL ([\w.]+) was not an allowed global|global (\S+)", str(failure))
        if isinstance(failure, UnpicklingError) and code is not None:
            raise UsageError(
                f"ckpt_path: {shown(path)} holds code ({code[1] or code[2]}), which loading would "
                "run; if you trust it: --weights_only=false"
            ) from failure
        # What another kind of file leads to depends on its first bytes.
        raise UsageError(_damaged(path, "is not a checkpoint, or is damaged")) from failure
    if not isinstance(content, dict) or not content.keys() >= PARTS:
        raise UsageError(f"ckpt_path: {shown(path)} is not the checkpoint of a run")
    if format_of(content) > FORMAT:
        raise UsageError(
            f"ckpt_path: {shown(path)} is from a newer version of this program "
            f"(format {content['format']}; known: {FORMAT})"
        )
    # Only older files were written without a checksum.
    if intact is None and format_of(content) == FORMAT:
        raise UsageError(_damaged(path))
    return content


def is_intact(path: Path) -> bool:
    """Return whether a checkpoint is undamaged, as far as can be checked."""
    try:
        holds = checksum_holds(path)
        return holds if holds is not None else bool(read_checkpoint(path))
    except (OSError, UsageError):
        return False


def format_of(checkpoint: Mapping[str, Any]) -> int:
    """Return the version of a checkpoint's format."""
    found = checkpoint.get("format", 1)
    return found if isinstance(found, int) else 1


def _damaged(path: Path, how: str = "is damaged: its checksum differs") -> str:
    """Report a damaged checkpoint, and suggest an intact one of the same run."""
    folder = RunFolder.of_checkpoint(path)
    candidates = [] if folder is None else folder.states
    intact = [p for p in candidates if p != path and checksum_holds(p)]
    named = f"\nintact: --ckpt_path {shown(intact[0])}" if intact else ""
    return f"ckpt_path: {shown(path)} {how}{named}"


def shapes(state_dict: Mapping[str, Any]) -> dict[str, Any]:
    """Return the shape of each tensor by name; weights can be restored where these agree."""
    return {name: getattr(value, "shape", None) for name, value in state_dict.items()}


def differences(current: Mapping[str, Any], saved: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each model setting that differs; those of classes that differ are skipped.

    Args:
        current: the model's hyperparameters.
        saved: the checkpoint's hyperparameters.
    """
    before, now = named_settings(saved), named_settings(current)
    if before.get("model") != now.get("model"):
        now, before = ({"model": s.get("model")} for s in (now, before))
    owners = {key for key in now if now[key] != before.get(key, ABSENT)}
    for key in now:
        comparable = key in before and key.rpartition(".")[0] not in owners
        if comparable and now[key] != before[key]:
            yield f"{key} is {now[key]} here, {before[key]} in the checkpoint"


def named_settings(hyperparameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings by their command-line keys, and classes by name."""
    settings = {k: v for k, v in hyperparameters.items() if not k.startswith("_")}
    described = {"class_path": hyperparameters.get("_class_path", "unknown"), "init_args": settings}
    return dict(flattened("model", described))
