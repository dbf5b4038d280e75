"""The league table: values with units and intervals, bold entries, and the glossary."""

import json
import re

import numpy as np
import pytest
from plotly.offline import get_plotlyjs
from scipy.stats import ttest_rel

from lightning_modules.records.reader import read_runs
from lightning_modules.report.page import page
from tests.lightning_modules.records.made_up_runs import Runs, carrying
from tests.lightning_modules.report.test_page import read


def test_the_league_table_has_sizes(runs: Runs) -> None:
    for seed in (0, 1):
        carrying(runs.frames("DNC", seed), 2_425)
    carrying(runs.frames("ContextWindow", 0), None)
    runs.frames("NTM", 0)
    rows = read(page(read_runs([runs.root]))).rows
    header = next(row for row in rows if row[:1] == ["model"] and "seed" in row)
    place = header.index("parameters")
    found = [(r[0], *r[place : place + 2]) for r in rows if len(r) == len(header) and r != header]
    assert sorted(found) == [
        ("GTMM (ContextWindow)", "1,000", "grows"),
        ("GTMM (DNC)", "1,000", "2,425"),
        ("GTMM (DNC)", "1,000 to 1,001", "2,425"),
        ("GTMM (DNC)", "1,001", "2,425"),
        ("GTMM (NTM)", "1,000", "-"),
    ]


def test_the_league_table_has_means_intervals_and_significance(runs: Runs) -> None:
    dnc, ntm = [2.0, 2.6, 2.3], [4.0, 4.4, 4.9]
    for seed in range(3):
        runs.frames("DNC", seed, dnc[seed])
        runs.frames("NTM", seed, ntm[seed])
    rows = read(page(read_runs([runs.root]))).rows
    (overview,) = [row for row in rows if row[0] == "GTMM (NTM)" and len(row) == 2]
    margin = 4.302653 * np.std(ntm, ddof=1) / 10 / 3**0.5
    interval = f"0.443 [{0.44333 - margin:.3f}, {0.44333 + margin:.3f}]"
    below = interval.removeprefix("0.443 ")
    assert overview == ["GTMM (NTM)", f"0.443*{below}3 seeds"]
    mean, first, second, third = [r for r in rows if r[0] == "GTMM (NTM)" and len(r) > 2]
    difference = np.subtract(ntm, dnc) / 10
    assert mean[1] == interval
    margin = 4.302653 * difference.std(ddof=1) / 3**0.5
    assert mean[2] == f"+0.213 [{0.21333 - margin:+.3f}, {0.21333 + margin:+.3f}]"
    assert mean[3] == f"{ttest_rel(ntm, dnc).pvalue:.3f}"
    assert mean[4] == "3" and mean[-2:] == ["0, 1, 2", "3,000"]
    assert [row[1] for row in (first, second, third)] == ["0.400", "0.440", "0.490"]


def test_each_family_has_its_own_overview(runs: Runs) -> None:
    runs.frames()
    runs.functions()
    html = page(read_runs([runs.root]))
    tables = re.findall(r'<table class="overview">.*?</table>', html)
    assert [[row[0] for row in read(each).rows[1:]] for each in tables] == [
        ["ASNP (RMR)"],
        ["GTMM (DNC)"],
    ]
    assert all(len(row) == 2 for each in tables for row in read(each).rows)


def bold(html: str) -> list[str]:
    """Everything in bold."""
    return re.findall(r"<strong>([^<]*)</strong>", html)


def test_the_best_mean_alone_is_bold(runs: Runs) -> None:
    for seed in range(3):
        runs.frames("DNC", seed, 2 + seed)
        runs.frames("NTM", seed, 4 + seed)
    html = page(read_runs([runs.root]))
    interval = "0.300 [0.052, 0.548]"
    assert bold(html) == ["GTMM (DNC)", "0.300", interval], "answer, overview, table"
    rows = read(html).rows
    mean, *singles = [row for row in rows if row[0] == "GTMM (DNC)" and len(row) > 2]
    assert mean[2] == "best, reference" and [single[2] for single in singles] == ["", "", ""]
    assert "tr.best { background: var(--best); }" in html, "no weight for the whole row"


@pytest.mark.parametrize(
    ("ratios", "conclusion"), [([4.0, 4.4, 4.9], ""), ([2.4, 1.9, 3.0], "no conclusion")]
)
def test_where_nothing_follows_the_table_says_so(
    runs: Runs, ratios: list[float], conclusion: str
) -> None:
    for seed, (dnc, ntm) in enumerate(zip((2.0, 2.6, 2.3), ratios, strict=True)):
        runs.frames("DNC", seed, dnc)
        runs.frames("NTM", seed, ntm)
    rows = read(page(read_runs([runs.root]))).rows
    (compared,) = [r[2] for r in rows if r[0] == "GTMM (NTM)" and "[" in "".join(r[2:3])]
    assert compared.partition("]")[2] == conclusion


@pytest.mark.parametrize("others", [0, 3])
@pytest.mark.parametrize("seeds", [1, 2])
def test_two_seeds_are_not_called_best(runs: Runs, seeds: int, others: int) -> None:
    for seed in range(seeds):
        runs.frames("DNC", seed, 2.0 + seed)
    for seed in range(others):
        runs.frames("NTM", seed, 4.0 + seed)
    html = page(read_runs([runs.root]))
    assert bold(html) == []
    row, *_ = [row for row in read(html).rows if row[0] == "GTMM (DNC)" and len(row) > 2]
    assert row[2] == "reference"


def test_several_seeds_without_another_model_are_not_called_best(runs: Runs) -> None:
    for seed in range(3):
        runs.frames("DNC", seed, 2.0 + seed)
    assert bold(page(read_runs([runs.root]))) == []


def test_measures_without_a_direction_have_no_arrow(runs: Runs) -> None:
    folder = runs.frames("DNC", 0)
    content = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    content["scalars"]["kl_recalled"] = 1.0
    (folder / "results.json").write_text(json.dumps(content), encoding="utf-8")
    header = next(r for r in read(page(read_runs([runs.root]))).rows if "from the reference" in r)
    # A posterior that has collapsed lowers each KL, but not their ratio.
    of_kl = {"KL, newnats per step", "KL, all recallednats per step"}
    assert {"KL ratio, old ↓", "bound ↑nats per sequence"} | of_kl <= set(header)


def test_numbers_have_their_units(runs: Runs) -> None:
    for core, nll in (("RMR", 0.5), ("LRU", 1.0)):
        for seed in range(3):
            carrying(runs.functions(core, seed, nll + seed), 1_000 * (1 + (core == "RMR")))
    html = page(read_runs([runs.root]))
    unit = "<small>nats per target</small>"
    assert f"<small>NLL ↓</small>{unit}</th>" in html, "overview"
    assert f">NLL ↓{unit}</th>" in html and ">MSE ↓<small>squared units of y</small></th>" in html
    assert ">NLL (nats per target) ↓ 1.500 [" in html, "answer"
    titles = [c["layout"]["yaxis"]["title"]["text"] for c in read(html).data if "traces" in c]
    assert titles[-1] == "NLL (nats per target)"
    assert ">NLL (nats per target, lower is better)<" in html, "state size"


def test_columns_are_explained_on_the_page(runs: Runs) -> None:
    runs.frames()
    runs.functions()
    html = page(read_runs([runs.root]))
    own = html.replace(get_plotlyjs(), "")
    assert "metrics.md" not in own
    assert '<th title="kl of new steps">KL, new<small>nats per step</small></th>' in own
    of_nll = "minus the log of the samples&#x27; mean density of a target, each target by itself"
    assert own.count(f'<th title="{of_nll}"') == 2, "overview and table"
    glossary = re.search(r"<summary>What the columns mean</summary>(.*?)</details>", own)
    terms = re.findall(r"<h4>(.*?)</h4>|<dt>([^<]*)", glossary[1])
    assert ["".join(term) for term in terms] == [
        *("Neural processes", "NLL ↓", "MSE ↓"),
        *("Generative temporal models", "KL ratio, old ↓", "bound ↑", "KL, new"),
        *("kl_recalled_old", "kl"),
    ], "what is shown, then what their sentences name"
    assert "<dt>KL, new<small>nats per step</small></dt><dd>kl of new steps</dd>" in glossary[1]
    assert "(kl_recalled_old over KL, new)" in glossary[1] and "`" not in glossary[1]
