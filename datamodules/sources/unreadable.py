"""Files that cannot be used are refused in one line that names them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import shorten

#: Characters of a library's text that are shown.
LONGEST_REASON = 200


class UnreadableData(ValueError):
    """Data that cannot be had; the message is one line that names what is to blame."""


@contextmanager
def blame(path: Path, complaint: str) -> Iterator[None]:
    """Turn whatever is found wrong with a file, or keeps it from being read, into one line.

    Args:
        path: the file.
        complaint: what it is not, as the rest of a sentence that begins with its path.

    Raises:
        UnreadableData: a ValueError or an OSError was raised inside.
    """
    try:
        yield
    except UnreadableData:
        raise
    except (OSError, ValueError) as error:
        # An OSError's text repeats the path, and a library's may have lines of the file's bytes.
        reason = shorten(getattr(error, "strerror", None) or str(error), LONGEST_REASON)
        raise UnreadableData(f"{path} {complaint}: {reason}") from error
