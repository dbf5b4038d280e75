"""The table ``metrics.csv`` as it is continued: rows are appended, and columns may be added."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from lightning_modules.records.durable_file import unfinished_file, write_durably


def continue_table(path: Path) -> list[str]:
    """Make a table ready to be continued, and return the names of its columns.

    A process that was killed may have left half a row, to which the next would be appended, or a
    table that it was writing anew.

    Args:
        path: the file; it need not exist, and is removed if it lacks a whole first line.
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
    """Write a table anew with more columns; the old table or the new one is there whole.

    Args:
        path: the file.
        columns: all names, those of before among them. Damaged rows, of more cells than there were
            columns, are left out.
    """
    rows = [row for row in csv.DictReader(_text(path.read_bytes())) if None not in row]
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, restval="")
    writer.writeheader()
    writer.writerows(rows)
    write_durably(path, text.getvalue().encode("utf-8", "surrogateescape"))


def _text(content: bytes) -> io.StringIO:
    """Decode; bytes that are no text are kept as they are."""
    return io.StringIO(content.decode("utf-8", "surrogateescape"), newline="")
