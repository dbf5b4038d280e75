"""``memory_film.npz``: where a memory was written and read in the first test sequence."""

import os
import zipfile
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from lightning_modules.temporal_vaes.samples import Samples
from memory_cores import Weightings


class Film(NamedTuple):
    """Of one sequence of T steps."""

    weightings: Weightings  #: read [T, R, N] and write [T, H, N]
    recalled_from: Tensor  #: [T], the earlier step that holds the answer, -1 where none does
    frames: Tensor  #: [T, C, H, W] in [0, 1], the truth


class NoFilm(Exception):
    """Why a file holds none."""


def film_of(samples: Samples) -> Film:
    """Of the first sequence, while it was reconstructed."""
    weightings = Weightings(*(each[0] for each in samples.weightings))
    return Film(weightings, samples.batch.recalled_from[0], samples.batch.frames[0])


def save_film(film: Film, path: Path) -> None:
    """Write some kilobytes; a reader sees the old file or the new one whole."""
    partial = path.with_suffix(".partial")
    with open(partial, "wb") as file:
        np.savez_compressed(
            file,
            read=film.weightings.read.half().numpy(force=True),
            write=film.weightings.write.half().numpy(force=True),
            recalled_from=film.recalled_from.short().numpy(force=True),
            frames=(255 * film.frames).round().byte().numpy(force=True),
        )
    os.replace(partial, path)


def load_film(path: Path) -> Film:
    """Read it again.

    Raises:
        NoFilm: it is damaged, or of another version.
    """
    try:
        with np.load(path) as content:
            read, write, recalled_from, frames = (
                torch.from_numpy(content[name])
                for name in ("read", "write", "recalled_from", "frames")
            )
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as failure:
        raise NoFilm("is damaged, or none of `test`'s") from failure
    weightings = Weightings(read.float(), write.float())
    return Film(weightings, recalled_from.long(), frames.float() / 255)
