"""Standard output and error, which must not end a command for want of a character."""

import sys
from io import TextIOWrapper


def accept_any_text() -> None:
    """Let both streams write what their encoding lacks, such as an arrow in ASCII, as escapes."""
    for stream in (sys.stdout, sys.stderr):
        # Tests and notebooks put others in their place.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
