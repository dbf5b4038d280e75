"""The IDX format in which MNIST is published."""

import gzip
import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

import numpy as np
from numpy.typing import NDArray

from datamodules.sources.unreadable import blame

UNSIGNED_BYTE = 0x08
#: Value types by their code in the magic number.
TYPES = {
    UNSIGNED_BYTE: "unsigned bytes",
    0x09: "signed bytes",
    0x0B: "16-bit integers",
    0x0C: "32-bit integers",
    0x0D: "32-bit floats",
    0x0E: "64-bit floats",
}
GZIP = b"\x1f\x8b"


def read_idx(path: Path, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Read an IDX file of unsigned bytes, gzipped or not, whatever its name says.

    Args:
        path: the file.
        shape: the expected shape; no more is unpacked.

    Raises:
        UnreadableData: the file is truncated, damaged, of another format or another size.
    """
    with blame(path, "is not a complete IDX file"), open(path, "rb") as file:
        return parse_idx(file, shape)


def parse_idx(file: IO[bytes], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Interpret an open IDX file: magic number, sizes, then the values.

    Raises:
        ValueError: the content is not as expected.
    """
    with _gunzipped(file) as stream:
        _require_header(stream, shape)
        count = math.prod(shape)
        values = np.frombuffer(stream.read(count + 1), np.uint8)
    if values.size != count:
        actual = f"only {values.size:,}" if values.size < count else "more"
        raise ValueError(f"its header promises {count:,} values, but it holds {actual}")
    return values.reshape(shape)


def _require_header(stream: IO[bytes], shape: tuple[int, ...]) -> None:
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != bytes(2) or magic[2] not in TYPES:
        raise ValueError(
            f"it begins with {magic.hex() or 'nothing'}, which is not an IDX magic number"
        )
    if magic[2] != UNSIGNED_BYTE:
        raise ValueError(f"it holds {TYPES[magic[2]]}, expected {TYPES[UNSIGNED_BYTE]}")
    sizes = stream.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise ValueError("its header is cut off")
    actual = tuple(np.frombuffer(sizes, ">u4").tolist())
    if actual != shape:
        raise ValueError(f"it holds {_times(actual)} values, expected {_times(shape)}")


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "no"


@contextmanager
def _gunzipped(file: IO[bytes]) -> Iterator[IO[bytes]]:
    """Unzip while reading, so that a zip bomb is unpacked no further than it is read."""
    zipped = file.read(len(GZIP)) == GZIP
    file.seek(0)
    try:
        yield cast(IO[bytes], gzip.GzipFile(fileobj=file)) if zipped else file
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"its gzip stream is cut off or damaged ({error})") from error
