"""Runs benchmark scripts as a user would, at tiny sizes; tests do not assert times."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
ABOUT = {"machine", "versions", "git_revision", "threads", "precision"}


def run(script: str, *options: str) -> str:
    """Run a script in the repository's root and return what it prints."""
    paths = filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, f"benchmarks/{script}.py", *options]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    return done.stdout
