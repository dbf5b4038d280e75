"""``memory_film.npz``: a memory's weightings in the first test sequence."""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor


class Film(NamedTuple):
    """A sequence of T steps, where the memory was read, and where it was written."""

    read: Tensor  #: [T, R, N]
    write: Tensor  #: [T, H, N]
    recalled_from: Tensor  #: [T], the earlier step that holds the answer, -1 where none does
    frames: Tensor  #: [T, C, H, W] in [0, 1], the truth


class NoFilm(Exception):
    """The reason why a file holds no film."""


def save_film(film: Film, path: Path) -> None:
    """Write a film in some kilobytes, its weightings in half precision.

    A reader sees the old file or the new one whole.
    """
    partial = path.with_suffix(".partial")
    with open(partial, "wb") as file:
        np.savez_compressed(
            file,
            read=film.read.half().numpy(force=True),
            write=film.write.half().numpy(force=True),
            recalled_from=film.recalled_from.short().numpy(force=True),
            frames=(255 * film.frames).round().byte().numpy(force=True),
        )
    os.replace(partial, path)


def load_film(path: Path) -> Film:
    """Read what ``save_film`` wrote.

    Raises:
        NoFilm: the file is damaged, or of another version.
    """
    try:
        with np.load(path) as content:
            read, write, recalled_from, frames = (
                torch.from_numpy(content[name])
                for name in ("read", "write", "recalled_from", "frames")
            )
    except Exception as failure:  # numpy and zipfile meet damage with errors of many kinds
        raise NoFilm("is damaged, or none of `test`'s") from failure
    return Film(read.float(), write.float(), recalled_from.long(), frames.float() / 255)
