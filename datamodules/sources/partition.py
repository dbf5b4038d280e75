"""Reads CelebA's partition into training, validation and test photographs."""

from pathlib import Path
from typing import IO

from datamodules.sources.images import Split
from datamodules.sources.unreadable import blame

PARTS: dict[Split, str] = {"train": "0", "val": "1", "test": "2"}
#: First line of Kaggle's CSV version.
CSV_HEADER = ["image_id", "partition"]
#: Upper limit; the published file has 2.8 MB.
MOST_BYTES = 1 << 24


def read_partition(path: Path, split: Split) -> list[str]:
    """List the names of a split's photographs.

    Args:
        path: lines `<name> <0, 1 or 2>`, or `<name>,<0, 1 or 2>` below a header.
        split: split of the photographs.

    Raises:
        UnreadableData: it is no partition, or has no photograph of the split.
    """
    with blame(path, "is not CelebA's"), open(path, "rb") as file:
        return parse_partition(file, split)


def parse_partition(file: IO[bytes], split: Split) -> list[str]:
    """Read an open partition as `read_partition` does.

    Raises:
        ValueError: it is no partition, or has no photograph of the split.
    """
    content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ValueError(f"it has more than {MOST_BYTES:,} bytes")
    # Windows editors may start a file with a byte-order mark.
    lines = content.decode("utf-8-sig").splitlines()
    rows = [line.replace(",", " ").split() for line in lines if line.strip()]
    if rows[:1] == [CSV_HEADER]:
        del rows[0]
    parts: dict[str, str] = {}
    for row in rows:
        if len(row) != 2 or row[1] not in PARTS.values():
            raise ValueError(f"it has an unexpected line {' '.join(row)[:80]!r}")
        if row[0] in parts:
            raise ValueError(f"it lists {row[0]} twice")
        parts[row[0]] = row[1]
    names = [name for name, part in parts.items() if part == PARTS[split]]
    if not names:
        raise ValueError(f"it lists no image of part {PARTS[split]} ({split})")
    return names
