"""Bundle of a step that was not finite: what it takes to make the step again."""

import io
from pathlib import Path
from typing import Any

import torch
from torch.utils._pytree import tree_leaves

from lightning_modules.records.durable_file import write_durably
from lightning_modules.records.problems import Unreadable

FORMAT = 1
#: A larger bundle is not written; the optimiser's state is left out first.
MOST_BYTES = 200_000_000
FOLDER = "diverged"
PARTS = {"format", "settings", "weights", "batches", "moments", "losses", "device", "versions"}


def bundle_path(run: Path, step: int) -> Path:
    """Return where the bundle of a step is kept.

    Args:
        run: the run's folder.
        step: as it is logged, from 1 on.
    """
    return run / FOLDER / f"step_{step}.pt"


def bundles(run: Path) -> list[Path]:
    """List the bundles in a run's folder; a run without any has not diverged."""
    return sorted((run / FOLDER).glob("step_*.pt"))


def write_bundle(path: Path, content: dict[str, Any]) -> bool:
    """Write a bundle of tensors and plain values, if it is small enough.

    Args:
        path: of the file; it is replaced at one stroke.
        content: ``PARTS``, and ``optimizer`` if that is wanted where there is room.

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
    """Return the bytes of all tensors."""
    tensors = (leaf for leaf in tree_leaves(content) if isinstance(leaf, torch.Tensor))
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def read_bundle(path: Path) -> dict[str, Any]:
    """Read a bundle; code in it is refused.

    Raises:
        Unreadable: it is missing, damaged, or something else.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as failure:
        raise Unreadable(f"cannot be read: {failure.strerror}") from failure
    except Exception as failure:
        # What another kind of file leads to depends on its first bytes.
        raise Unreadable("is not the bundle of a diverged step, or is damaged") from failure
    if not isinstance(content, dict) or not content.keys() >= PARTS:
        raise Unreadable("is not the bundle of a diverged step")
    if content["format"] != FORMAT:
        raise Unreadable(f"has format {content['format']}; only {FORMAT} is known here")
    return content
