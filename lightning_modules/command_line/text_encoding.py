"""Text in UTF-8 whatever the locale is: files, names of files, and what is printed."""

import codecs
import locale
import os
import sys
from io import TextIOWrapper


def ensure_utf8() -> None:
    """Start this program again in Python's UTF-8 mode where the locale has another encoding.

    Libraries read and write text files, settings among them, in the encoding of the locale, which
    cannot be changed while Python runs. Processes that the program starts inherit the mode.
    """
    if sys.flags.utf8_mode or codecs.lookup(locale.getpreferredencoding(False)).name == "utf-8":
        return
    os.environ["PYTHONUTF8"] = "1"
    # The terminal keeps its own.
    os.environ.setdefault("PYTHONIOENCODING", f"{sys.stdout.encoding}:backslashreplace")
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def accept_any_text() -> None:
    """Let standard output and error write what their encoding lacks, such as an arrow in ASCII."""
    for stream in (sys.stdout, sys.stderr):
        # Tests and notebooks put others in their place.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
