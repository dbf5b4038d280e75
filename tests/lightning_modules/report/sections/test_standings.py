"""The section on scores over benchmarks: ranking, missing scores, and lines of the chart."""

import pytest

from lightning_modules.records.reader import read_runs
from lightning_modules.report.page import page
from tests.lightning_modules.records.made_up_runs import Runs
from tests.lightning_modules.report.test_page import read


def over_all(runs: Runs) -> None:
    """DNC, NTM and no memory on two lengths of perfect recall, three seeds; LRU on one of them."""
    ratios = {"NoMemory": 10.0, "DNC": 2.0, "NTM": 4.0}
    for steps in (20, 30):
        for core, ratio in (ratios | ({"LRU": 1.0} if steps == 20 else {})).items():
            for seed in range(3):
                runs.frames(core, seed, ratio, run=f"{core}-{steps}-{seed}", steps=steps)


def test_standings_come_before_tables_and_miss_nothing(runs: Runs) -> None:
    over_all(runs)
    found = read(page(read_runs([runs.root])))
    assert found.sections[:3] == ["answer", "overall", "league"]
    header = next(row for row in found.rows if row[0] == "contestant")
    ranking = found.rows[1:5]
    assert [row[:3] for row in ranking] == [
        ["DNC", "0.80", "0.80"],
        ["NTM", "0.60", "0.60"],
        ["NoMemory", "0.00", "0.00"],
        ["LRU", "-", "-"],
    ]
    assert sorted(ranking[3][3:]) == ["-", "0.90[0.90, 0.90]"]
    assert all("Perfect recall" in heading for heading in header[3:])
    pairs = next(i for i, row in enumerate(found.rows) if row[0] == "better than")
    assert found.rows[pairs + 1] == ["DNC", "-", "1.00", "1.00", "0.00(1)"]
    charts = [data["traces"] for data in found.data if "traces" in data]
    assert [trace["name"] for trace in charts[0]] == ["DNC", "NTM", "NoMemory"]
    dnc = charts[0][0]
    assert (dnc["line"]["color"], dnc["line"]["shape"]) == ("#0072B2", "hv")
    assert dnc["x"][1:] == [0.8] * 6 + [1] and dnc["meta"]["core"] == "DNC"
    assert dnc["y"] == pytest.approx([1, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6, 0, 0], abs=1e-4)
