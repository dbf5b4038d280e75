"""Rejects unusable files in one line that names them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import shorten

#: Maximum number of characters of a library's message to show.
LONGEST_REASON = 200


class UnreadableData(ValueError):
    """Data that cannot be read; the one-line message names the cause."""


@contextmanager
def blame(path: Path, complaint: str) -> Iterator[None]:
    """Turn errors in a file, or in reading it, into one line that names it.

    Args:
        path: the file.
        complaint: rest of a sentence that begins with the path.

    Raises:
        UnreadableData: a ValueError or an OSError was raised inside.
    """
    try:
        yield
    except UnreadableData:
        raise
    except (OSError, ValueError) as error:
        # An OSError's text repeats the path, and a library's may quote the file's bytes.
        reason = shorten(getattr(error, "strerror", None) or str(error), LONGEST_REASON)
        raise UnreadableData(f"{path} {complaint}: {reason}") from error
