"""Numbers, tables and files of results."""

import json
from pathlib import Path

import pytest
import torch

from lightning_modules.callbacks.results_file import number, write_json
from lightning_modules.records.versions import versions
from lightning_modules.table import table


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_is_no_number_becomes_null(value: float):
    assert number(torch.tensor(value)) is None
    assert number(torch.tensor(1.5)) == 1.5


def test_file_is_replaced_as_a_whole(tmp_path: Path):
    path = tmp_path / "results.json"
    path.write_text("old", encoding="utf-8")
    with pytest.raises(ValueError):
        write_json(path, {"scalar": float("nan")})
    assert path.read_text(encoding="utf-8") == "old"
    write_json(path, {"scalar": None})
    assert json.loads(path.read_text(encoding="utf-8")) == {"scalar": None}
    assert list(tmp_path.iterdir()) == [path]


def test_versions_name_the_code():
    assert versions()["torch"] == torch.__version__
    assert "revision" in versions()


def test_table_shows_names_and_values():
    lines = table("test", {"bound": -1.23456, "kl": None}).splitlines()
    assert [line.split() for line in lines[-2:]] == [["bound", "-1.2346"], ["kl", "-"]]
