"""The script that times models of each family, at tiny sizes."""

import json
from pathlib import Path

import pytest

from tests.benchmarks.commands import ABOUT, run


def test_families(tmp_path: Path) -> None:
    file, plot = tmp_path / "families.json", tmp_path / "families.png"
    small = ("--set", "data.batch_size=2", "data.sequence_length=3", "data.context_steps=2")
    rows = ("snp_gp_sparse", "asnp_rmr_gp_sparse")
    files = (f"--json={file}", f"--plot={plot}")
    printed = run("families", "--rounds=1", "--bf16", *files, "--only", *rows, *small)
    assert plot.is_file()
    results = json.loads(file.read_text(encoding="utf-8"))
    assert results.keys() >= ABOUT
    for name in rows:
        shares = [results[name][share] for share in ("networks", "products", "elsewhere")]
        assert sum(shares) == pytest.approx(1)
        assert results[name]["bf16_step_ms"] > 0
        assert results[name]["step_ms"] > 0 and 0 < results[name]["data_share"] < 1
        assert name in printed
