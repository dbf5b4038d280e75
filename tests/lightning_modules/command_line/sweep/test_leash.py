"""No run outlives its sweep, however that ends."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lightning_modules.command_line.sweep.process import LEASH

#: Starts a program as a sweep does, in a group of its own, and is killed.
SWEEP = """
import os, subprocess, sys

words = [sys.executable, "-IS", {leash!r}, str({parent}), sys.executable, {program!r}]
run = subprocess.Popen(words, start_new_session=True, stdout=subprocess.PIPE)
if {parent} == os.getpid():
    print(run.stdout.readline(), flush=True)
    os.kill(os.getpid(), 9)
sys.exit(run.wait())
"""
PROGRAM = """
import signal, sys, time
from pathlib import Path

def save(*_):
    Path({saved!r}).write_text("saved")
    sys.exit(130)

signal.signal(signal.SIGINT, save)
print("trains", flush=True)
time.sleep(60)
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has leashes")


def start(folder: Path, parent: str) -> tuple[int, Path]:
    """Exit status of a sweep whose process has, or has not, the number given to the leash."""
    saved, program = folder / "saved", folder / "program.py"
    program.write_text(PROGRAM.format(saved=str(saved)), encoding="utf-8")
    sweep = SWEEP.format(leash=str(LEASH), parent=parent, program=str(program))
    return subprocess.run([sys.executable, "-c", sweep], check=False, timeout=30).returncode, saved


def test_a_killed_sweep_leaves_no_run_behind(tmp_path: Path) -> None:
    status, saved = start(tmp_path, "os.getpid()")
    assert status == -signal.SIGKILL
    end = time.monotonic() + 30
    while not saved.exists():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_sweep_that_died_first_starts_no_run(tmp_path: Path) -> None:
    status, saved = start(tmp_path, "1")
    assert status == 0
    assert not saved.exists()
