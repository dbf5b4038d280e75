"""Files of checkpoints: written beside their destination, with a checksum at their end."""

import os
import shutil
import struct
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

#: Version of what a checkpoint holds, its key ``format``. Files before 2 have neither this key nor
#: a checksum, and training cannot go on exactly from them.
FORMAT = 2
MARK = b"sha256:"
TRAILER = len(MARK) + 2 * sha256().digest_size
CHUNK = 2**20


def sealed(content: bytes | memoryview) -> bytearray:
    """Append a checksum to a checkpoint's bytes.

    A checkpoint is a zip file, and the checksum its comment: it travels with the file, is replaced
    together with it, and PyTorch reads the file as before. (A second file beside it could be lost
    or be that of another state; zip's own checksums are not looked at by PyTorch.)

    Args:
        content: what ``torch.save`` writes.
    """
    file = bytearray(content)
    # A zip file ends with the length of its comment.
    file[-2:] = struct.pack("<H", TRAILER)
    file += MARK + sha256(file).hexdigest().encode("ascii")
    return file


def checksum_holds(path: Path) -> bool | None:
    """Return whether a file is as it was written; None if it has no checksum.

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
    """Give a file a second name, or a copy where the file system knows no links.

    Returns:
        Whether there is something of that name now.
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
    """Remove what a process has left that died while it wrote into a folder."""
    for path in folder.glob(".*.unfinished"):
        with suppress(OSError):
            path.unlink()
