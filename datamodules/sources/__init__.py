"""Sources of images, which a benchmark reads by name and split."""

from datamodules.sources.image_kinds import CHARACTERS, DIGITS, FACES, LARGE_FACES, ImageKind
from datamodules.sources.images import SPLITS, LabelledImages, Split
from datamodules.sources.select import (
    Source,
    fetch_images,
    load_images,
    require_readable,
    resolve_source,
)
from datamodules.sources.unreadable import UnreadableData

__all__ = [
    "CHARACTERS",
    "DIGITS",
    "FACES",
    "LARGE_FACES",
    "SPLITS",
    "ImageKind",
    "LabelledImages",
    "Source",
    "Split",
    "UnreadableData",
    "fetch_images",
    "load_images",
    "require_readable",
    "resolve_source",
]
