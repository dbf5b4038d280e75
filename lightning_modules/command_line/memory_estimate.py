"""An estimate of the memory that a run needs, before anything of its size is allocated.

It is a lower bound, so that nothing is refused that could run: weights with their gradients and
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
#: In training: weights, gradients and two moments; and a state before and after the step.
COPIES_OF_WEIGHTS, COPIES_OF_STATE = 4, 2
#: No tensor takes more bytes.
LARGEST = 2**63
Build = Callable[[Namespace], tuple[SequenceModel, BenchmarkDataModule]]


def require_memory(settings: Namespace, build: Build, training: bool) -> None:
    """Refuse settings whose first step cannot fit into memory.

    Args:
        settings: those of the command.
        build: makes the model and its data from settings; called on the meta device only.
        training: whether the model is trained, or only measured.

    Raises:
        UsageError: it does not fit; the line names the setting, what is needed and what is there.
        ValueError: a setting is out of range.
    """

    def needed(tried: Namespace) -> int:
        try:
            with torch.device("meta"):
                return least_bytes(*build(tried), training)
        except (RuntimeError, ValueError) as error:
            # Sizes whose product is no 64-bit number; the parser makes another error of it.
            if "overflow" not in str(error):
                raise
            return LARGEST

    need, have = needed(settings), available_bytes(settings.trainer.accelerator)
    if need <= have:
        return
    candidates: dict[str, int] = {}
    for key, default in _changed(settings).items():
        tried = settings.clone()
        tried[key] = default
        try:
            less = needed(tried)
        except ValueError:  # the default does not go with the others
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
    """Sum up what a step cannot do without, of a model on the meta device."""
    batch = data.hparams["batch_size" if training else "eval_batch_size"]
    state = model.core.initial_state(batch, torch.empty(0))
    # A pixel takes four bytes in a batch, and one where it is generated.
    pixels = getattr(data, "frame_shape", None) or getattr(data, "canvas_shape", None) or (1,)
    return (
        (COPIES_OF_WEIGHTS if training else 1) * _bytes(*model.parameters())
        + (COPIES_OF_STATE if training else 1) * _bytes(*tree_leaves(state))
        + batch * data.sequence_length * math.prod(pixels)
    )


def available_bytes(accelerator: Any) -> int:
    """Return the memory of the first GPU if it is used, else what the machine has left."""
    if torch.cuda.is_available() and accelerator in ("auto", "gpu", "cuda"):
        return torch.cuda.get_device_properties(0).total_memory
    left = Path("/proc/meminfo")
    if left.is_file():
        rows = (line.split() for line in left.read_text(encoding="utf-8").splitlines())
        sizes = {row[0]: int(row[1]) << 10 for row in rows}
        return sizes["MemAvailable:"] + sizes["SwapFree:"]
    if sys.platform == "win32":
        return sys.maxsize  # nothing that Python has says it
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _bytes(*tensors: Tensor) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def _changed(settings: Namespace) -> dict[str, Any]:
    """Find whole numbers that are not their class's defaults, and return those, by full key."""
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
    """Return the default of a setting, which a base class may have; ``empty`` without one."""
    for part in owner.__mro__:
        parameter = inspect.signature(part.__init__).parameters.get(name)  # type: ignore[misc]
        if parameter is not None:
            return parameter.default
    return inspect.Parameter.empty
