"""The scripts as a user would run them, at tiny sizes; no time is ever asserted."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from contestants import VARIANTS

ROOT = Path(__file__).parents[2]
SIZES = {"rounds": 1, "steps": 2, "batch": 2, "controller": 8, "slots": 4, "word": 4}
TINY = [*(f"--{name}={size}" for name, size in SIZES.items()), "--read-heads=2"]
ABOUT = {"machine", "versions", "git_revision", "threads", "precision"}


def run(script: str, *options: str) -> str:
    """Run it in the repository's root; returns what it prints."""
    paths = filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, f"benchmarks/{script}.py", *options]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def cores(tmp_path: Path, *options: str) -> tuple[str, dict[str, Any]]:
    file = tmp_path / "cores.json"
    return run("cores", f"--json={file}", *TINY, *options), json.loads(file.read_text())


def test_cores(tmp_path: Path) -> None:
    printed, results = cores(tmp_path, "--compile", "none")
    assert results.keys() >= ABOUT | {"lstm_ms", "pypi_dnc_ms", "sizes", "rounds"}
    for name in VARIANTS:
        assert results[name]["eager_ms"] > 0 and results[name]["compiled_ms"] is None
        assert results[name]["forward_dispatches_per_step"] > 0
        assert results[name]["peak_mebibytes"] > 0
        assert f"\n  {name} " in printed
    assert results["threads"] == 1 and results["sizes"]["steps"] == 2


@pytest.mark.compile
def test_a_dnc_is_compiled_unless_somebody_says_otherwise(tmp_path: Path) -> None:
    _, results = cores(tmp_path, "--only", "dnc", "ntm")
    assert results["dnc"]["compiled_ms"] > 0 and results["ntm"]["compiled_ms"] is None


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_cores_on_cuda(tmp_path: Path) -> None:
    _, results = cores(tmp_path, "--device=cuda", "--bf16", "--only", "dnc")
    assert results["dnc"]["kernels_per_step"] > 0


def test_scaling(tmp_path: Path) -> None:
    file, plots = tmp_path / "scaling.json", tmp_path / "plots"
    options = ("--quick", "--axes", "cells", f"--json={file}", f"--plots={plots}")
    printed = run("scaling", *options)
    results = json.loads(file.read_text())
    assert results.keys() == ABOUT | {"cells"}
    assert results["cells"]["rmr"]["sizes"] == [9, 25]
    assert results["cells"]["rmr"].keys() >= {"exponent", "median_ms", "peak_mebibytes"}
    assert [path.name for path in plots.iterdir()] == ["cells.png"]
    assert "exponent" in printed


def test_families(tmp_path: Path) -> None:
    file, plot = tmp_path / "families.json", tmp_path / "families.png"
    small = ("--set", "data.batch_size=2", "data.sequence_length=3", "data.context_steps=2")
    rows = ("snp_gp_sparse", "asnp_rmr_gp_sparse")
    files = (f"--json={file}", f"--plot={plot}")
    printed = run("families", "--rounds=1", "--bf16", *files, "--only", *rows, *small)
    assert plot.is_file()
    results = json.loads(file.read_text())
    assert results.keys() >= ABOUT
    for name in rows:
        shares = [results[name][share] for share in ("networks", "products", "elsewhere")]
        assert sum(shares) == pytest.approx(1)
        assert results[name]["bf16_step_ms"] > 0
        assert results[name]["step_ms"] > 0 and 0 < results[name]["data_share"] < 1
        assert name in printed
