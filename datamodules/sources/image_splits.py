"""The images of all splits, from the source that all processes agree on."""

from hashlib import sha256
from typing import NamedTuple

import lightning as L

from datamodules.sources import SPLITS, Family, LabelledImages, Split, load_images, resolve_source


class ImageSplits(NamedTuple):
    """What a benchmark's sequences are made of."""

    images: dict[Split, LabelledImages]
    record: dict[str, str]
    """`source`, never `auto`, and `sha256` of all its images and labels."""


def image_splits(
    source: str, data_dir: str, family: Family, trainer: L.Trainer | None
) -> ImageSplits:
    """Read the images of every split from what is on disk.

    Args:
        source: name of the source, or `auto`, which the first process decides for all.
        data_dir: folder of the real data sets.
        family: the sources that are meant.
        trainer: knows the other processes; None where there are none.

    Raises:
        ValueError: the source is not of the family or not on disk, or a file of it is damaged.
    """
    source = resolve_source(source, data_dir, family)
    if trainer is not None:
        source = trainer.strategy.broadcast(source)
    images = {split: load_images(source, data_dir, split, family) for split in SPLITS}
    digest = sha256("".join(images[split].sha256 for split in SPLITS).encode())
    return ImageSplits(images, {"source": source, "sha256": digest.hexdigest()})
