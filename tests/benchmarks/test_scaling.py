"""The script that times cores at growing sizes, at tiny ones."""

import json
from pathlib import Path

from tests.benchmarks.commands import ABOUT, run


def test_scaling(tmp_path: Path) -> None:
    file, plots = tmp_path / "scaling.json", tmp_path / "plots"
    options = ("--quick", "--axes", "cells", f"--json={file}", f"--plots={plots}")
    printed = run("scaling", *options)
    results = json.loads(file.read_text(encoding="utf-8"))
    assert results.keys() == ABOUT | {"cells"}
    assert results["cells"]["rmr"]["sizes"] == [9, 25]
    assert results["cells"]["rmr"].keys() >= {"exponent", "median_ms", "peak_mebibytes"}
    assert [path.name for path in plots.iterdir()] == ["cells.png"]
    assert "exponent" in printed
