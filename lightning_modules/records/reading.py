"""Reading of a run's files: whatever is wrong with one is said in a line."""

import json
import re
import stat
from pathlib import Path
from typing import Any

from lightning_modules.records.problems import NewerFormat, Unreadable

#: Of the files of a run; this code writes 1, and files of before it name none.
FORMAT = 1
#: Bytes of a file that is read whole; the largest that runs write have a thousandth of it.
MOST_BYTES = 1_000_000_000
#: Values in a file, and levels of nesting; YAML says a million values in ten lines.
MOST_VALUES, MOST_LEVELS = 500_000, 40
#: Halves of letters, which JSON can hold and UTF-8 cannot.
SURROGATES = re.compile("[\ud800-\udfff]")
#: Bits of a whole number; a longer one is no count of anything.
MOST_BITS = 64


def read_bytes(path: Path) -> bytes:
    """Read a file of a run.

    Raises:
        Unreadable: it is missing, too large, or no file.
    """
    try:
        state = path.stat()
        # A pipe or a device would be read for ever.
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
        found = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as failure:
        raise Unreadable("is damaged: it is not JSON, or incomplete") from failure
    require_plain(found)
    require_known_format(found)
    return found


def require_known_format(content: Any) -> None:
    """Refuse what a newer version of this code wrote.

    Raises:
        NewerFormat: its format is newer than ``FORMAT``.
        Unreadable: its format is no number.
    """
    found = content.get("format", 0) if isinstance(content, dict) else 0
    if not is_whole(found) or found < 0:
        raise Unreadable("is damaged: its format is not a number")
    if found > FORMAT:
        raise NewerFormat(
            f"was written by a newer version of this code: its format is {found}, and this version "
            f"reads {FORMAT}"
        )


def is_whole(value: Any) -> bool:
    """Tell whether a value is a whole number; true and false are none."""
    return isinstance(value, int) and not isinstance(value, bool)


def require_plain(content: Any) -> None:
    """Refuse what could not be shown, compared or written again, whatever its meaning.

    Raises:
        Unreadable: there are too many values, or too deep ones, text that is no Unicode, names
            that are no text, or whole numbers without end.
    """
    waiting, count = [([content], 0)], 0
    while waiting:
        values, level = waiting.pop()
        count += len(values)
        if count > MOST_VALUES or level > MOST_LEVELS:
            raise Unreadable("is damaged: it has too many values, or they are nested too deep")
        for value in values:
            if isinstance(value, float):
                continue  # most are, and all will do
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
            raise Unreadable(f"is damaged: the name of a value is not text, {name!r:.40}")
    return [*value, *value.values()]


def _is_text(value: str) -> bool:
    """Tell whether a text can be encoded, and drawn."""
    return "\0" not in value and not SURROGATES.search(value)
