"""CelebA: 202,599 photographs of celebrities' faces (Liu et al. 2015), from the user's own files.

`<data_dir>/celeba` holds `img_align_celeba.zip` and `list_eval_partition.txt` as their authors
publish them; nothing is downloaded. A split is decoded once, into a file beside them.
"""

import io
import os
import zipfile
import zlib
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from datamodules.sources.images import LabelledImages, Split

FOLDER = "celeba"
ARCHIVE, PARTITION = "img_align_celeba.zip", "list_eval_partition.txt"
PARTS: dict[Split, str] = {"train": "0", "val": "1", "test": "2"}
#: Width and height of an aligned photograph.
ALIGNED = (178, 218)
#: Side of the square in its middle that is kept, and of the image that it is reduced to.
CROP = 148
SIZE = 32


def missing_files(data_dir: Path) -> list[str]:
    """List the files that `<data_dir>/celeba` lacks."""
    return [name for name in (ARCHIVE, PARTITION) if not (data_dir / FOLDER / name).exists()]


def download(data_dir: Path) -> None:
    """Refuse: only its authors hand CelebA out."""
    raise ValueError("CelebA cannot be downloaded: its authors give it out by hand")


def read(data_dir: Path, split: Split) -> LabelledImages:
    """Read one split of the published partition; all images are of class 0.

    Returns:
        The middle 148 x 148 pixels of every photograph, reduced to 32 x 32 in colour.

    Raises:
        ValueError: a file is damaged or they do not belong together; the message names it.
    """
    folder = data_dir / FOLDER
    decoded = folder / f"{split}_{SIZE}.npy"
    if not _is_newer(decoded, folder):
        _save(_decode(folder, split), decoded)
    # Mapped, not read: 500 MB that all processes of a machine share.
    images = np.load(decoded, mmap_mode="r")
    return LabelledImages(images, np.zeros(len(images), np.int64), "celeba")


def _is_newer(decoded: Path, folder: Path) -> bool:
    """Tell whether a file exists that was written after those that it is made from."""
    made_from = max((folder / name).stat().st_mtime_ns for name in (ARCHIVE, PARTITION))
    return decoded.exists() and decoded.stat().st_mtime_ns > made_from


def _save(images: NDArray[np.uint8], path: Path) -> None:
    """Write a file that is complete or absent, whatever other processes do."""
    with TemporaryDirectory(prefix=".decoded-", dir=path.parent) as folder:
        np.save(Path(folder, path.name), images)
        os.replace(Path(folder, path.name), path)


def _decode(folder: Path, split: Split) -> NDArray[np.uint8]:
    """Decode the images of a split in the partition's order, [N, 32, 32, 3]."""
    names = _names(folder / PARTITION, split)
    try:
        with zipfile.ZipFile(folder / ARCHIVE) as archive:
            return np.stack([_photograph(archive, name) for name in names])
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"{folder / ARCHIVE} does not hold what {PARTITION} names: {error}"
        ) from error


def _names(partition: Path, split: Split) -> list[str]:
    """List the images of a split from lines `<image> <0, 1 or 2>`."""
    rows = [
        line.split() for line in partition.read_text(encoding="utf-8").splitlines() if line.strip()
    ]
    for row in rows:
        if len(row) != 2 or row[1] not in PARTS.values():
            raise ValueError(f"{partition} is not CelebA's: it has a line {' '.join(row)!r}")
    names = [name for name, part in rows if part == PARTS[split]]
    if not names:
        raise ValueError(f"{partition} names no image of part {PARTS[split]} ({split})")
    return names


def _photograph(archive: zipfile.ZipFile, name: str) -> NDArray[np.uint8]:
    try:
        content = archive.read(f"img_align_celeba/{name}")
        photograph = Image.open(io.BytesIO(content)).convert("RGB")
    except (KeyError, OSError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{name} is missing or damaged") from error
    if photograph.size != ALIGNED:
        raise ValueError(f"{name} has {photograph.size} pixels, expected {ALIGNED}")
    left, top = ((length - CROP) // 2 for length in ALIGNED)
    middle = photograph.crop((left, top, left + CROP, top + CROP))
    # The bilinear filter is stretched to the reduction, so that it does not alias.
    return np.asarray(middle.resize((SIZE, SIZE), Image.Resampling.BILINEAR))
