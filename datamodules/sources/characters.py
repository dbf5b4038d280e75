"""Splits for one-shot recall: unseen characters for the test, unseen drawings for validation."""

from collections import defaultdict
from hashlib import sha256
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from datamodules.sources.images import LabelledImages, Split

#: Characters per alphabet only in the test split, as in Gemici et al. 2017, section 5.3.
HELD_OUT = 3
#: Number of last drawers, whose drawings of the other characters are the validation split.
VALIDATION_DRAWERS = 2
#: Splits by priority for images that occur in several.
PRIORITY: tuple[Split, ...] = ("test", "train", "val")


class Drawings(NamedTuple):
    """Every drawing of every character."""

    images: NDArray[np.uint8]
    """Ink bright on black, uint8 [N, H, W]."""
    characters: NDArray[np.int64]
    """Index of each drawing's character, [N]."""
    drawers: NDArray[np.int64]
    """Number of each drawing's drawer, [N]."""
    names: tuple[str, ...]
    """Name of each character, `<alphabet>/<character>`."""


def one_shot_split(drawings: Drawings, split: Split, source: str) -> LabelledImages:
    """Select a split's drawings; labels are the characters' indices, the same in all splits.

    Test: all drawings of the held-out characters. Validation: those of the other characters by the
    last two drawers, so that it measures what training learns. Training: the rest. Of identical
    drawings (Omniglot has two of one Braille letter) the test takes all before training, and
    training before validation.
    """
    unseen = np.isin(drawings.characters, held_out(drawings.names))
    last = drawings.drawers > drawings.drawers.max() - VALIDATION_DRAWERS
    rank = np.where(unseen, 0, np.where(last, 2, 1))
    selected = (rank == PRIORITY.index(split)) & ~_belongs_elsewhere(drawings.images, rank)
    images, labels = drawings.images[selected], drawings.characters[selected]
    return LabelledImages(images, labels, source, drawings.names)


def _belongs_elsewhere(images: NDArray[np.uint8], rank: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Mark images with a duplicate of lower rank, [N]."""
    contents = [image.tobytes() for image in images]
    lowest: dict[bytes, int] = {}
    for content, own in zip(contents, rank.tolist(), strict=True):
        lowest[content] = min(own, lowest.get(content, own))
    return np.array([lowest[content] for content in contents]) < rank


def held_out(names: tuple[str, ...]) -> list[int]:
    """Return the indices of the characters held out for the test, in ascending order.

    They are the three of each alphabet whose names have the smallest SHA-256: effectively random,
    but the same for all seeds, versions and machines.
    """
    alphabets: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for number, name in enumerate(names):
        alphabets[name.partition("/")[0]].append((sha256(name.encode()).hexdigest(), number))
    return sorted(number for of in alphabets.values() for _, number in sorted(of)[:HELD_OUT])
