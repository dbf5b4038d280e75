"""Bundle of a training step that was not finite: all that is needed to repeat it."""

import io
from pathlib import Path
from typing import Any

import torch
from torch.utils._pytree import tree_leaves

from lightning_modules.records.durable_file import write_durably
from lightning_modules.records.problems import Unreadable

FORMAT = 1
#: Limit of a bundle; the optimiser's state is dropped first, then nothing is written.
MOST_BYTES = 200_000_000
FOLDER = "diverged"
PARTS = {"format", "settings", "weights", "batches", "moments", "losses", "device", "versions"}


def bundle_path(run: Path, step: int) -> Path:
    """Return the path of a step's bundle.

    Args:
        run: the run's folder.
        step: as logged, from 1.
    """
    return run / FOLDER / f"step_{step}.pt"


def bundles(run: Path) -> list[Path]:
    """List the bundles in a run's folder by their steps; empty if no step diverged."""
    # Numbers without leading zeros: the shorter is the smaller.
    return sorted((run / FOLDER).glob("step_*.pt"), key=lambda path: (len(path.name), path.name))


def write_bundle(path: Path, content: dict[str, Any]) -> bool:
    """Write a bundle of tensors and plain values, if it is small enough.

    Args:
        path: of the file; it is replaced atomically.
        content: ``PARTS``, and optionally ``optimizer``, which is kept if there is room.

    Returns:
        Whether it was written.

    Raises:
        OSError: the file cannot be written.
    """
    if size(content) > MOST_BYTES:
        content = {name: part for name, part in content.items() if name != "optimizer"}
    if size(content) > MOST_BYTES:
        return False
    buffer = io.BytesIO()
    torch.save({"format": FORMAT, **content}, buffer)
    write_durably(path, buffer.getvalue())
    return True


def size(content: dict[str, Any]) -> int:
    """Return the size of all tensors in bytes."""
    tensors = (leaf for leaf in tree_leaves(content) if isinstance(leaf, torch.Tensor))
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def read_bundle(path: Path) -> dict[str, Any]:
    """Read a bundle, without executing code in it.

    Raises:
        Unreadable: the file is missing, damaged or not a bundle.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as failure:
        raise Unreadable(f"cannot be read: {failure.strerror}") from failure
    except Exception as failure:
        # PyTorch raises many types, depending on the first bytes of the file.
        raise Unreadable("is not the bundle of a diverged step, or is damaged") from failure
    if not isinstance(content, dict) or not content.keys() >= PARTS:
        raise Unreadable("is not the bundle of a diverged step")
    if content["format"] != FORMAT:
        raise Unreadable(f"has format {content['format']}; this version reads {FORMAT}")
    return content
