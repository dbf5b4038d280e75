"""The IDX format in which MNIST is published."""

import gzip
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

UNSIGNED_BYTE = 0x08


def read_idx(path: Path) -> NDArray[np.uint8]:
    """Read an IDX file of unsigned bytes, gzipped where its name ends in `.gz`.

    Raises:
        ValueError: the file is truncated, damaged or of another format; the message names it.
    """
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        return parse_idx(content)
    except (ValueError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path} is not a complete IDX file: {error}") from error


def parse_idx(content: bytes) -> NDArray[np.uint8]:
    """Interpret the bytes of an unzipped IDX file: magic number, sizes, then the values."""
    if len(content) < 4 or content[:3] != bytes([0, 0, UNSIGNED_BYTE]):
        raise ValueError("its magic number is not that of unsigned bytes")
    header = 4 + 4 * content[3]
    if len(content) < header:
        raise ValueError("its header is cut off")
    shape = tuple(int(size) for size in np.frombuffer(content[4:header], ">u4"))
    values = np.frombuffer(content, np.uint8, offset=header)
    if values.size != np.prod(shape, dtype=np.int64):
        raise ValueError(f"it announces {shape} values and holds {values.size}")
    return values.reshape(shape)
