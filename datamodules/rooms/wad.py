"""WAD files, the archives of Doom's engines: named lumps of bytes, one after the other."""

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

HEADER, ENTRY = struct.Struct("<4sii"), struct.Struct("<ii8s")
LONGEST_NAME = 8


class Lump(NamedTuple):
    """One entry of an archive."""

    name: str  #: at most 8 characters
    content: bytes  #: none in markers


def read_wad(path: Path) -> list[Lump]:
    """Read an archive.

    Raises:
        ValueError: it is not a WAD file.
        OSError: it cannot be read.
    """
    archive = path.read_bytes()
    if len(archive) < HEADER.size or archive[:4] not in (b"IWAD", b"PWAD"):
        raise ValueError(f"{path} is not a WAD file")
    _, count, start = HEADER.unpack_from(archive)
    if start + count * ENTRY.size > len(archive):
        raise ValueError(f"{path} is cut short")
    return [
        Lump(name.rstrip(b"\0").decode("latin-1"), archive[first : first + size])
        for first, size, name in (
            ENTRY.unpack_from(archive, start + number * ENTRY.size) for number in range(count)
        )
    ]


def write_wad(path: Path, lumps: Sequence[Lump]) -> None:
    """Write a patch archive (PWAD)."""
    entries, first = [], HEADER.size
    for name, content in lumps:
        assert len(name) <= LONGEST_NAME, name
        entries.append(ENTRY.pack(first, len(content), name.encode("latin-1")))
        first += len(content)
    contents = b"".join(lump.content for lump in lumps)
    path.write_bytes(HEADER.pack(b"PWAD", len(lumps), first) + contents + b"".join(entries))
