"""Estimates the memory that a run needs, before anything large is allocated.

The estimate is a lower bound, so that no feasible run is rejected: weights with their gradients and
Adam's two moments, the memory core's state before and after a step, and a batch of sequences.
"""

import inspect
import math
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from jsonargparse import Namespace
from torch import Tensor
from torch.utils._pytree import tree_leaves

from datamodules import BenchmarkDataModule
from lightning_modules.command_line.class_settings import class_at, plain_key
from lightning_modules.command_line.usage_error import UsageError
from lightning_modules.sequence_model import SequenceModel

GIB = 1 << 30
#: In training: weights, gradients and two moments; the state before and after the step.
COPIES_OF_WEIGHTS, COPIES_OF_STATE = 4, 2
#: Upper bound on a tensor's bytes.
LARGEST = 2**63
Build = Callable[[Namespace], tuple[SequenceModel, BenchmarkDataModule]]


def require_memory(settings: Namespace, build: Build, training: bool) -> None:
    """Reject settings whose first step cannot fit into memory.

    Args:
        settings: the command's settings.
        build: builds the model and its data from settings; called only on the meta device.
        training: whether the model is trained, or only evaluated.

    Raises:
        UsageError: it does not fit; the message names the setting, the need and what is available.
        ValueError: a setting is out of range.
    """

    def needed(candidate: Namespace) -> int:
        try:
            with torch.device("meta"):
                return least_bytes(*build(candidate), training)
        except (RuntimeError, ValueError) as error:
            # The product of sizes exceeds 64 bits; the parser turns this into another error type.
            if "overflow" not in str(error):
                raise
            return LARGEST

    need, have = needed(settings), available_bytes(settings.trainer.accelerator)
    if need <= have:
        return
    candidates: dict[str, int] = {}
    for key, default in _changed(settings).items():
        candidate = settings.clone()
        candidate[key] = default
        try:
            less = needed(candidate)
        except ValueError:  # the default is incompatible with the other settings
            continue
        if less < need:
            candidates[key] = less
    blamed = min(candidates, key=lambda key: candidates[key], default="model")
    got = settings[blamed] if blamed in candidates else settings.model.class_path
    raise UsageError(
        f"{plain_key(blamed)} must be smaller: a step needs at least {need / GIB:,.0f} GiB of "
        f"memory and {have / GIB:,.0f} GiB are available, got {got}"
    )


def least_bytes(model: SequenceModel, data: BenchmarkDataModule, training: bool) -> int:
    """Return a lower bound on a step's memory in bytes, for a model on the meta device."""
    batch = data.hparams["batch_size" if training else "eval_batch_size"]
    state = model.core.initial_state(batch, torch.empty(0))
    # A pixel takes at least one byte, as generated; in a batch it takes four.
    pixels = getattr(data, "frame_shape", None) or getattr(data, "canvas_shape", None) or (1,)
    return (
        (COPIES_OF_WEIGHTS if training else 1) * _bytes(*model.parameters())
        + (COPIES_OF_STATE if training else 1) * _bytes(*tree_leaves(state))
        + batch * data.sequence_length * math.prod(pixels)
    )


def available_bytes(accelerator: Any) -> int:
    """Return the memory of the first GPU if it is used, else the machine's available memory."""
    if torch.cuda.is_available() and accelerator in ("auto", "gpu", "cuda"):
        return torch.cuda.get_device_properties(0).total_memory
    meminfo = Path("/proc/meminfo")
    if meminfo.is_file():
        rows = (line.split() for line in meminfo.read_text(encoding="utf-8").splitlines())
        sizes = {row[0]: int(row[1]) << 10 for row in rows}
        return sizes["MemAvailable:"] + sizes["SwapFree:"]
    if sys.platform == "win32":
        return sys.maxsize  # the standard library cannot tell
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _bytes(*tensors: Tensor) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def _changed(settings: Namespace) -> dict[str, Any]:
    """Return the defaults of integer settings that differ from them, by full key."""
    found = {}
    for key, value in vars(settings.as_flat()).items():
        owner, _, name = key.rpartition(".init_args.")
        is_number = isinstance(value, int) and not isinstance(value, bool)
        if owner.partition(".")[0] in ("model", "data") and is_number:
            default = _default(class_at(settings[f"{owner}.class_path"]), name)
            if default is not inspect.Parameter.empty and default != value:
                found[key] = default
    return found


def _default(owner: type, name: str) -> Any:
    """Return a setting's default, possibly from a base class; ``empty`` if it has none."""
    for part in owner.__mro__:
        parameter = inspect.signature(part.__init__).parameters.get(name)  # type: ignore[misc]
        if parameter is not None:
            return parameter.default
    return inspect.Parameter.empty
