"""The script that times cores, at tiny sizes."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from contestants import VARIANTS
from tests.benchmarks.commands import ABOUT, run

SIZES = {"rounds": 1, "steps": 2, "batch": 2, "controller": 8, "slots": 4, "word": 4}
TINY = [*(f"--{name}={size}" for name, size in SIZES.items()), "--read-heads=2"]


def cores(tmp_path: Path, *options: str) -> tuple[str, dict[str, Any]]:
    file = tmp_path / "cores.json"
    return run("cores", f"--json={file}", *TINY, *options), json.loads(
        file.read_text(encoding="utf-8")
    )


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
