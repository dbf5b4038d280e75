"""A script measures its own checkout."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.commands import ROOT


@pytest.mark.parametrize("script", ["cores", "families", "scaling"])
def test_another_checkout_is_left_alone(script: str, tmp_path: Path) -> None:
    """Another one may be installed, or in the working folder."""
    for package in ("lightning_modules", "memory_cores", "datamodules"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text("raise SystemExit(9)", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(ROOT / f"benchmarks/{script}.py"), "--help"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    assert "--json" in done.stdout
