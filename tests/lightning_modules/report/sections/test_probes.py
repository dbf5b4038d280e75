"""The section on probes: a row and lines for each run."""

from lightning_modules.records.reader import read_runs
from lightning_modules.report.page import page
from tests.lightning_modules.records.made_up_runs import Runs, add_probe
from tests.lightning_modules.report.test_page import read


def test_probes_have_a_row_and_lines_for_each_run(runs: Runs) -> None:
    add_probe(runs.frames("DNC", 0), zeroed=1.5)
    add_probe(runs.frames("NTM", 1))
    (runs.frames("LRU", 0) / "probe.json").write_text("{", encoding="utf-8")
    html = page(read_runs([runs.root]))
    found = read(html)
    header = next(row for row in found.rows if "transplanted" in row)
    assert header[:6] == ["model", "seed", "untouched", "zeroed", "transplanted", "own class"]
    first, second = (row for row in found.rows if len(row) == len(header) and row[-2] == "200")
    shown = ["0.200", "1.500", "20.000", "0.125", "0.750", "200", "shuffled: left out"]
    assert first == ["GTMM (DNC)", "0", *shown]
    assert second[:4] == ["GTMM (NTM)", "1", "0.200", "1.000"]
    of_ratio = [
        [(t["x"], t["y"]) for t in chart["traces"]]
        for chart in found.data
        if chart.get("layout", {}).get("yaxis", {}).get("title", {}).get("text") == "KL ratio, old"
    ]
    assert of_ratio == [[([1, 2], [0.2, 0.4])] * 2, [([5, 8], [0.2, 0.4])] * 2]
    assert "LRU-0/probe.json</code> is damaged: it is not JSON, or incomplete" in html
