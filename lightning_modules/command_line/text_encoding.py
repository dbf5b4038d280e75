"""Ensures UTF-8 text whatever the locale: files, file names and output."""

import codecs
import locale
import os
import sys
from io import TextIOWrapper


def ensure_utf8() -> None:
    """Restart this program in Python's UTF-8 mode if the locale has another encoding.

    Libraries read and write text files, such as settings, in the locale's encoding, which
    cannot be changed while Python runs. Child processes inherit the mode.
    """
    if sys.flags.utf8_mode or codecs.lookup(locale.getpreferredencoding(False)).name == "utf-8":
        return
    os.environ["PYTHONUTF8"] = "1"
    # The terminal keeps its own encoding.
    os.environ.setdefault("PYTHONIOENCODING", f"{sys.stdout.encoding}:backslashreplace")
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def accept_any_text() -> None:
    """Escape characters that the encoding of stdout or stderr lacks, such as arrows in ASCII."""
    for stream in (sys.stdout, sys.stderr):
        # Tests and notebooks replace them by other kinds of streams.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
