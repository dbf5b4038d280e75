"""`compare` if neither the terminal nor the file system uses UTF-8."""

import os
import subprocess
import sys
from pathlib import Path

from tests.cli.commands import ROOT
from tests.lightning_modules.records.made_up_runs import Runs

#: Python would take UTF-8 by itself where the locale is plain C.
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def test_an_ascii_locale(tmp_path: Path):
    runs = Runs(tmp_path / "Läufe")
    for seed in (0, 1):
        runs.frames("DNC", seed, run=f"größer → {seed}", memory={"slots": 8})
    broken = runs.frames("NTM", 0, run="größer ← 0")
    for name in ("results.json", "metrics.csv"):
        (broken / name).write_bytes(b"\xff")
    done = subprocess.run(
        [sys.executable, "cli.py", "compare", runs.root, f"--out={tmp_path}/ä.html"],
        cwd=ROOT,
        env={**os.environ, **ASCII},
        capture_output=True,
        check=False,
    )
    said = done.stderr.decode("ascii")
    assert done.returncode == 0, said
    assert "gr\\xf6\\xdfer \\u2190 0/metrics.csv is damaged" in said
    assert "/\\xe4.html: 2 runs" in done.stdout.decode("ascii")
    page = (tmp_path / "ä.html").read_text(encoding="utf-8")
    assert "größer → 1" in page and "größer ← 0/results.json" in page
