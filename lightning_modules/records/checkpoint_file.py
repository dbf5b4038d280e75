"""Checkpoint files, with a checksum at their end."""

import os
import shutil
import struct
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

#: Version of a checkpoint's content, its key ``format``. Files before 2 have neither this key nor a
#: checksum, and cannot be resumed exactly.
FORMAT = 2
MARK = b"sha256:"
TRAILER = len(MARK) + 2 * sha256().digest_size
CHUNK = 2**20


def sealed(content: bytes | memoryview) -> bytearray:
    """Append a checksum to a checkpoint's bytes.

    A checkpoint is a zip file, and the checksum is its comment: it is copied and replaced with the
    file, and PyTorch ignores it. (A separate file could be lost or belong to another state;
    PyTorch does not verify zip's own checksums.)

    Args:
        content: output of ``torch.save``.
    """
    file = bytearray(content)
    # A zip file ends with the length of its comment.
    file[-2:] = struct.pack("<H", TRAILER)
    file += MARK + sha256(file).hexdigest().encode("ascii")
    return file


def checksum_holds(path: Path) -> bool | None:
    """Return whether a file matches its checksum; None if it has none.

    Raises:
        OSError: the file cannot be read.
    """
    with open(path, "rb") as file:
        unread = file.seek(0, os.SEEK_END) - TRAILER
        if unread < 0:
            return None
        file.seek(unread)
        trailer = file.read()
        if not trailer.startswith(MARK):
            return None
        file.seek(0)
        digest = sha256()
        while unread > 0:
            chunk = file.read(min(CHUNK, unread))
            digest.update(chunk)
            unread -= len(chunk)
    return trailer == MARK + digest.hexdigest().encode("ascii")


def second_name(path: Path, name: Path) -> bool:
    """Hard-link a file under a second name, or copy it where links are not supported.

    Returns:
        Whether the second name exists now.
    """
    with suppress(OSError):
        name.unlink(missing_ok=True)
        try:
            os.link(path, name)
        except OSError:
            shutil.copyfile(path, name)
        return True
    return False


def clear_unfinished(folder: Path) -> None:
    """Remove unfinished files of processes that died while writing into a folder."""
    for path in folder.glob(".*.unfinished"):
        with suppress(OSError):
            path.unlink()
