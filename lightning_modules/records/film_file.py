"""``memory_film.npz``: read and write weightings in the first test sequence."""

import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lightning_modules.records.durable_file import replacing

#: Limit of the uncompressed size; the largest real films have a hundredth of it.
MOST_BYTES = 500_000_000
DIMENSIONS = {"read": 3, "write": 3, "recalled_from": 1, "frames": 4}
#: Tolerance for weights in half precision.
ROUNDING = 1e-2


class Film(NamedTuple):
    """A sequence of T steps, with R read and H write weightings over N slots."""

    read: Tensor  #: [T, R, N]
    write: Tensor  #: [T, H, N]
    recalled_from: Tensor  #: [T], the earlier step that holds the answer; -1 if none
    frames: Tensor  #: [T, C, H, W] in [0, 1], the truth


class NoFilm(Exception):
    """A file holds no film; the message says why."""


def save_film(film: Film, path: Path) -> None:
    """Write a film atomically, with weightings in half precision."""
    with replacing(path) as file:
        np.savez_compressed(
            file,
            read=film.read.half().numpy(force=True),
            write=film.write.half().numpy(force=True),
            recalled_from=film.recalled_from.short().numpy(force=True),
            frames=(255 * film.frames).round().byte().numpy(force=True),
        )


def load_film(path: Path) -> Film:
    """Read a film that ``save_film`` wrote.

    Raises:
        NoFilm: the file is damaged or was written by another version.
    """
    try:
        # A few compressed kilobytes can expand to any number of zeros.
        with zipfile.ZipFile(path) as members:
            if sum(member.file_size for member in members.infolist()) > MOST_BYTES:
                raise NoFilm(f"is damaged: a film takes less than {MOST_BYTES:,} bytes")
        with np.load(path) as content:
            # NumPy returns a member that is not an array as bytes.
            arrays = [np.asarray(content[name]) for name in Film._fields]
    except NoFilm:
        raise
    except Exception as failure:  # NumPy and zipfile raise many types on other content
        raise NoFilm("is damaged, or was not written by `test`") from failure
    _require_film(*arrays)
    read, write, recalled_from, frames = map(torch.from_numpy, arrays)
    return Film(read.float(), write.float(), recalled_from.long(), frames.float() / 255)


def _require_film(*arrays: NDArray[Any]) -> None:
    """Check types, shapes and values of a film's arrays.

    Raises:
        NoFilm: with the first violation.
    """
    for name, array, kind in zip(Film._fields, arrays, ("f", "f", "i", "u"), strict=True):
        if array.dtype.kind != kind or array.ndim != DIMENSIONS[name] or 0 in array.shape[:1]:
            raise NoFilm(f"is damaged: {name} has shape {array.shape} and type {array.dtype}")
    read, write, recalled_from, frames = arrays
    steps = {len(array) for array in arrays}
    if len(steps) > 1 or read.shape[2] != write.shape[2] or frames.shape[1] not in (1, 3):
        shapes = ", ".join(f"{n} {a.shape}" for n, a in zip(Film._fields, arrays, strict=True))
        raise NoFilm(f"is damaged: its shapes do not match: {shapes}")
    if not (read.shape[1] and read.shape[2] and min(frames.shape[2:])):
        raise NoFilm("is damaged: it has no read head, no slot or no pixel")
    for name, weights in (("read", read), ("write", write)):
        # NaN compares as false.
        if not ((weights >= 0) & (weights <= 1 + ROUNDING)).all():
            raise NoFilm(f"is damaged: {name} has weights outside 0 to 1")
    if not ((recalled_from >= -1) & (recalled_from < np.arange(len(recalled_from)))).all():
        raise NoFilm("is damaged: a step is recalled from no earlier step")
