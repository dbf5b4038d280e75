"""Appending to the table ``metrics.csv``: a resumed run adds rows, and possibly columns."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from lightning_modules.records.durable_file import unfinished_file, write_durably


def continue_table(path: Path) -> list[str]:
    """Prepare a table for appending, and return the names of its columns.

    Removes what a killed process may have left: an incomplete last row, or a temporary file.

    Args:
        path: the file; it need not exist, and is removed if its first line is incomplete.
    """
    unfinished_file(path).unlink(missing_ok=True)
    if not path.is_file():
        return []
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if not whole.strip():
        path.unlink()
        return []
    if len(whole) < len(content):
        with open(path, "r+b") as file:
            file.truncate(len(whole))
    return next(csv.reader(_text(whole)), [])


def widen_table(path: Path, columns: Sequence[str]) -> None:
    """Rewrite a table with more columns, atomically; rows with too many cells are dropped.

    Args:
        path: the file.
        columns: all names, including the existing ones.
    """
    rows = [row for row in csv.DictReader(_text(path.read_bytes())) if None not in row]
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, restval="")
    writer.writeheader()
    writer.writerows(rows)
    write_durably(path, text.getvalue().encode("utf-8", "surrogateescape"))


def _text(content: bytes) -> io.StringIO:
    """Decode UTF-8; invalid bytes are preserved as surrogates."""
    return io.StringIO(content.decode("utf-8", "surrogateescape"), newline="")
