"""Safe reading of a run's files; every fault becomes a one-line ``Unreadable``."""

import json
import re
import stat
from pathlib import Path
from typing import Any

from lightning_modules.records.problems import NewerFormat, Unreadable

#: Format of a run's files; older files have none.
FORMAT = 1
#: Size limit in bytes; the largest files of real runs have a thousandth of it.
MOST_BYTES = 1_000_000_000
#: Limits on values and nesting; aliases let ten lines of YAML expand to a million values.
MOST_VALUES, MOST_LEVELS = 500_000, 40
#: Lone surrogates, which JSON can contain but UTF-8 cannot encode.
SURROGATES = re.compile("[\ud800-\udfff]")
#: Most bits of an integer; no genuine count is larger.
MOST_BITS = 64


def read_bytes(path: Path) -> bytes:
    """Read a file of a run.

    Raises:
        Unreadable: the file is missing, too large, or not a regular file.
    """
    try:
        state = path.stat()
        # Reading a pipe or a device might never end.
        if not stat.S_ISREG(state.st_mode):
            raise Unreadable("is not a file")
        if state.st_size > MOST_BYTES:
            raise Unreadable(f"has {state.st_size:,} bytes; at most {MOST_BYTES:,} are allowed")
        return path.read_bytes()
    except (OSError, MemoryError) as failure:
        reason = getattr(failure, "strerror", None) or type(failure).__name__
        raise Unreadable(f"cannot be read: {reason}") from failure


def read_json(path: Path) -> Any:
    """Read a JSON file of a run.

    Raises:
        Unreadable: the file is missing, empty, damaged, or of a newer version of this code.
    """
    content = read_bytes(path)
    if not content.strip():
        raise Unreadable("is empty")
    try:
        parsed = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as failure:
        raise Unreadable("is damaged: it is not JSON, or incomplete") from failure
    require_plain(parsed)
    require_known_format(parsed)
    return parsed


def require_known_format(content: Any) -> None:
    """Check that this version can read the format.

    Raises:
        NewerFormat: the format is newer than ``FORMAT``.
        Unreadable: the format is not a number.
    """
    version = content.get("format", 0) if isinstance(content, dict) else 0
    if not is_whole(version) or version < 0:
        raise Unreadable("is damaged: its format is not a number")
    if version > FORMAT:
        raise NewerFormat(
            f"was written by a newer version of this code: its format is {version}, and this "
            f"version reads {FORMAT}"
        )


def is_whole(value: Any) -> bool:
    """Return whether a value is an integer, not a bool."""
    return isinstance(value, int) and not isinstance(value, bool)


def require_plain(content: Any) -> None:
    """Check that a content can be shown, compared and written again.

    Raises:
        Unreadable: there are too many or too deeply nested values, text that is not Unicode, keys
            that are not text, or oversized integers.
    """
    waiting, count = [([content], 0)], 0
    while waiting:
        values, level = waiting.pop()
        count += len(values)
        if count > MOST_VALUES or level > MOST_LEVELS:
            raise Unreadable("is damaged: it has too many values, or they are nested too deeply")
        for value in values:
            if isinstance(value, float):
                continue  # the most frequent type; every float is valid
            if isinstance(value, dict | list | tuple | set):
                waiting.append((_inside(value), level + 1))
            elif isinstance(value, int) and value.bit_length() > MOST_BITS:
                raise Unreadable("is damaged: a whole number has too many digits")
            elif isinstance(value, str) and not _is_text(value):
                raise Unreadable("is damaged: it holds text that is not Unicode")


def _inside(value: dict[Any, Any] | list[Any] | tuple[Any, ...] | set[Any]) -> list[Any]:
    if not isinstance(value, dict):
        return [*value]
    for name in value:
        if not isinstance(name, str):
            raise Unreadable(f"is damaged: a key is not text, {name!r:.40}")
    return [*value, *value.values()]


def _is_text(value: str) -> bool:
    """Return whether a text can be encoded and drawn."""
    return "\0" not in value and not SURROGATES.search(value)
