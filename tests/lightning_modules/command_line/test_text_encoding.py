"""What is printed, and in which mode Python runs, where the locale's encoding is not UTF-8."""

import io
import locale
import os
import sys
from types import SimpleNamespace

import pytest

from lightning_modules.command_line.text_encoding import accept_any_text, ensure_utf8


def test_what_a_terminal_lacks_is_escaped(monkeypatch: pytest.MonkeyPatch):
    printed, complained = io.BytesIO(), io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(printed, "iso8859-1", write_through=True))
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(complained, "ascii", write_through=True))
    accept_any_text()
    print("3.0 ± 0.1 →")
    print("Läufe", file=sys.stderr)
    assert printed.getvalue() == b"3.0 \xb1 0.1 \\u2192\n"
    assert complained.getvalue() == b"L\\xe4ufe\n"


@pytest.mark.parametrize(("encoding", "mode", "again"), [
    ("ISO-8859-1", 0, True),
    ("ANSI_X3.4-1968", 0, True),
    ("ANSI_X3.4-1968", 1, False),
    ("utf8", 0, False),
])  # fmt: skip
def test_python_starts_again_in_utf8_mode(
    monkeypatch: pytest.MonkeyPatch, encoding: str, mode: int, again: bool
):
    started: list[tuple[str, list[str]]] = []
    monkeypatch.setattr(os, "execv", lambda program, words: started.append((program, words)))
    monkeypatch.setattr(locale, "getpreferredencoding", lambda _: encoding)
    monkeypatch.setattr(sys, "flags", SimpleNamespace(utf8_mode=mode))
    monkeypatch.setattr(sys, "orig_argv", ["python3", "-u", "cli.py", "fit"])
    monkeypatch.setattr(os, "environ", environment := {"PYTHONUTF8": "0"})
    ensure_utf8()
    assert started == [(sys.executable, [sys.executable, "-u", "cli.py", "fit"])] * again
    # Without it the program would start itself for ever.
    assert environment["PYTHONUTF8"] == ("1" if again else "0")
