"""Folders with made-up runs, for whoever reads or shows them."""

from pathlib import Path

import pytest

from tests.lightning_modules.records.made_up_runs import Runs


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path / "runs")
