"""Archives: a file written byte by byte, and invalid files."""

import struct
from pathlib import Path

import pytest

from datamodules.rooms.wad import Lump, read_wad, write_wad


def test_it_is_the_documented_format(tmp_path: Path) -> None:
    """Header: kind, number of lumps, place of the directory; entries: place, size, name."""
    path = tmp_path / "a.wad"
    write_wad(path, [Lump("MARK", b""), Lump("TEXTMAP", b"abc")])
    expected = b"PWAD" + struct.pack("<ii", 2, 15) + b"abc"
    expected += struct.pack("<ii8s", 12, 0, b"MARK") + struct.pack("<ii8s", 12, 3, b"TEXTMAP")
    assert path.read_bytes() == expected
    assert read_wad(path) == [("MARK", b""), ("TEXTMAP", b"abc")]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "is not a WAD file"),
        (b"ZIP!" + bytes(20), "is not a WAD file"),
        (b"IWAD" + struct.pack("<ii", 1, 12), "is cut short"),
    ],
)
def test_others_are_refused(tmp_path: Path, content: bytes, complaint: str) -> None:
    (tmp_path / "x.wad").write_bytes(content)
    with pytest.raises(ValueError, match=f"x.wad {complaint}"):
        read_wad(tmp_path / "x.wad")
