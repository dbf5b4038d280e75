"""MNIST: 70,000 handwritten digits (LeCun, Cortes, Burges), in the four IDX files.

They may be as LeCun publishes them, as torchvision stores them (`MNIST/raw/`), or unpacked.
"""

from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datamodules.sources.downloads import arrive_together, retrieve
from datamodules.sources.idx import read_idx
from datamodules.sources.images import LabelledImages, Split
from datamodules.sources.layout import Layout
from datamodules.sources.unreadable import UnreadableData

FOLDER = "mnist"
MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
MD5 = {
    "train-images-idx3-ubyte": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte": "ec29112dd5afa0611ce80d1b7f02629c",
}

SPLITS: dict[Split, tuple[str, slice]] = {
    "train": ("train", slice(0, 55_000)),
    "val": ("train", slice(55_000, 60_000)),
    "test": ("t10k", slice(0, 10_000)),
}
PUBLISHED_SIZE = {"train": 60_000, "t10k": 10_000}
CLASSES = 10


def _spellings(name: str) -> tuple[str, ...]:
    dotted = name.replace("-idx", ".idx")
    return name, f"{name}.gz", dotted, f"{dotted}.gz"


LAYOUT = Layout(
    # "MNIST/raw" is torchvision's; `*/raw` would match its other data sets with the same names.
    places=(FOLDER, "MNIST/raw", "mnist/raw", ""),
    spellings={name: _spellings(name) for name in MD5},
    variants="gzipped or not, also named *.idx3-ubyte and *.idx1-ubyte",
)


def missing_files(data_dir: Path) -> list[str]:
    """List the IDX files missing from the data folder, plain or gzipped."""
    return LAYOUT.missing(data_dir)


def download(data_dir: Path) -> None:
    """Complete `<data_dir>/mnist` from the first mirror that has all missing files.

    Files appear by atomic renaming and only once all have arrived and match their checksums.

    Raises:
        OSError: no mirror answers, or the folder cannot be written.
        ValueError: what was downloaded does not match its checksum.
    """
    try:
        _download_from(MIRRORS[0], data_dir)
    except (OSError, ValueError):
        _download_from(MIRRORS[1], data_dir)


def read(data_dir: Path, split: Split) -> LabelledImages:
    """Read one split: the first 55,000 training images, the last 5,000, or the test images.

    Raises:
        UnreadableData: a file is damaged or not of MNIST's published size; the message names it.
    """
    part, selection = SPLITS[split]
    shape = (PUBLISHED_SIZE[part], 28, 28)
    images = _cached(LAYOUT.path(data_dir, f"{part}-images-idx3-ubyte"), shape)
    path = LAYOUT.path(data_dir, f"{part}-labels-idx1-ubyte")
    labels = _cached(path, shape[:1])
    if labels.max() >= CLASSES:
        raise UnreadableData(f"{path} is not MNIST's: it has a label {labels.max()}")
    return LabelledImages(images[selection], labels[selection].astype(np.int64), "mnist")


def _cached(path: Path, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Read a file, cached until it changes, since training and validation share one."""
    written = path.stat().st_mtime_ns if path.exists() else 0
    return _read_once(path.absolute(), shape, written)


@lru_cache(maxsize=len(MD5))
def _read_once(path: Path, shape: tuple[int, ...], written: int) -> NDArray[np.uint8]:
    return read_idx(path, shape)


def _download_from(mirror: str, data_dir: Path) -> None:
    names = missing_files(data_dir)
    arrive_together(data_dir / FOLDER, names, partial(_retrieve, mirror), suffix=".gz")


def _retrieve(mirror: str, name: str, folder: Path) -> None:
    retrieve(f"{mirror}{name}.gz", MD5[name], folder)
