"""The section on state sizes: which models are drawn, and how they are distinguished."""

import re

import pytest

from lightning_modules.records.reader import read_runs
from lightning_modules.report.page import page
from tests.lightning_modules.records.made_up_runs import Runs, carrying
from tests.lightning_modules.report.test_page import read


def test_quality_is_drawn_over_the_state_of_models_that_have_one(runs: Runs) -> None:
    for core, kl, numbers in (("DNC", 2.0, 1_000), ("LRU", 4.0, 9_500), ("RMR", 3.0, None)):
        for seed in range(3):
            carrying(runs.frames(core, seed, kl + seed / 10), numbers)
    runs.frames("NTM", 0)
    charts = [c for c in read(page(read_runs([runs.root]))).data if "traces" in c]
    (points,) = [c["traces"] for c in charts if c["traces"][0].get("mode") == "markers"]
    found = {point["name"]: (point["x"], point["y"]) for point in points}
    assert found == {
        "GTMM (DNC)": ([1_000], [pytest.approx(0.21)]),
        "GTMM (LRU)": ([9_500], [pytest.approx(0.41)]),
    }
    # Student's quantile of two degrees of freedom, times 0.01 over the root of three.
    (axis,) = [c["layout"]["xaxis"] for c in charts if c["traces"] == points]
    assert axis["ticktext"] == ["1,000", "2,000", "5,000", "10,000"]
    assert points[0]["error_y"]["array"] == [pytest.approx(4.302653 * 0.01 / 3**0.5, abs=1e-6)]


def test_the_key_to_state_sizes_has_the_symbols_of_the_chart(runs: Runs) -> None:
    for slots, numbers in ((8, 1_000), (16, 2_000)):
        carrying(runs.frames("DNC", 0, run=f"{slots}", memory={"slots": slots}), numbers)
    html = page(read_runs([runs.root]))
    section = html[html.index('<section id="state">') :]
    (points,) = [c["traces"] for c in read(section).data if "traces" in c]
    drawn = [(point["name"], point["marker"]["symbol"]) for point in points]
    named = re.findall(r'swatch symbol (\w+)"[^>]*></span>([^<]*)</li>', section)
    assert [(name, symbol) for symbol, name in named] == drawn
    assert {symbol for _, symbol in drawn} == {"circle", "square"}


def test_models_that_carry_the_same_are_not_drawn_over_it(runs: Runs) -> None:
    for core in ("DNC", "NTM"):
        carrying(runs.frames(core, 0), 2_425)
    assert "state" not in read(page(read_runs([runs.root]))).sections
