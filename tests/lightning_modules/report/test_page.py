"""The page as a file: its content, what is left out, and its size."""

import json
import re
import time
from html import escape
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import yaml
from plotly.offline import get_plotlyjs

from lightning_modules.records.problems import NoRuns
from lightning_modules.records.reader import read_runs
from lightning_modules.report.page import page
from lightning_modules.report.sections.gallery import picture_of
from tests.lightning_modules.records.made_up_runs import (
    add_film,
    add_pictures,
    add_probe,
    carrying,
    write_metrics,
)

SECTIONS = [
    *("answer", "league", "steps", "learning", "scaling", "state", "probes", "gallery", "film"),
    "configuration",
]


class Reader(HTMLParser):
    """Collects cells of tables, ids of sections, and charts."""

    def __init__(self) -> None:
        super().__init__()
        self.sections, self.open, self.is_json = [], [], False
        self.rows: list[list[str]] = []
        self.data: list[object] = []

    def handle_starttag(self, name, attributes):
        attrs = dict(attributes)
        if name == "section":
            self.sections.append(attrs["id"])
        if name == "tr":
            self.rows.append([])
        if name in ("td", "th"):
            self.rows[-1].append("")
            self.open.append(name)
        self.is_json = attrs.get("type") == "application/json"

    def handle_endtag(self, name):
        if name in ("td", "th"):
            self.open.pop()
        self.is_json = False

    def handle_data(self, text):
        if self.open:
            self.rows[-1][-1] += text
        if self.is_json:
            self.data.append(json.loads(text))


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html.replace(get_plotlyjs(), ""))
    return reader


def test_everything_has_its_section(runs):
    for seed in range(2):
        folder = runs.frames("DNC", seed, run=f"dnc{seed}", memory={"slots": 8})
        add_pictures(folder, "generations", "kl_curve")
        add_film(folder)
        add_probe(folder)
        carrying(folder, 1_000)
    carrying(runs.frames("DNC", 0, run="more", memory={"slots": 16}), 2_000)
    runs.functions()
    html = page(read_runs([runs.root]))
    assert read(html).sections == SECTIONS
    assert html.count("<img") == 2, "curves are drawn by the page itself"
    assert html.count(get_plotlyjs()) == 1
    own = html.replace(get_plotlyjs(), "")
    loads = re.findall(r"""\b(?:src|href)="([^"]*)"|@import""", own)
    assert {link.partition(",")[0] for link in loads if link[:1] != "#"} == {
        "data:",
        "data:image/webp;base64",
    }


def test_names_are_escaped_everywhere(runs):
    evil = '<img src=x onerror=alert(1)>"&'
    runs.frames("DNC", 0, run="a", memory={"note": evil})
    runs.frames("DNC", 0, run="b", memory={"note": "</script><b>"})
    html = page(read_runs([runs.root]))
    assert evil not in html and "</script><b>" not in html
    assert escape(evil, quote=False) in html
    names = [trace.get("name") for chart in read(html).data for trace in chart.get("traces", [])]
    assert f"GTMM (DNC, note={escape(evil, quote=False)})" in names, "Plotly reads HTML, too"


def test_a_core_always_has_its_colour(runs):
    for core in ("DNC", "NoMemory"):
        runs.frames(core, 0)
        runs.frames(core, 1)
    charts = read(page(read_runs([runs.root]))).data
    traces = [trace for chart in charts for trace in chart.get("traces", [])]
    lines = {
        (t["meta"]["core"], t["line"]["color"], t["meta"]["dark"]["line.color"])
        for t in traces
        if "color" in t.get("line", {}) and "core" in t["meta"]
    }
    assert lines == {("DNC", "#0072B2", "#0072B2"), ("NoMemory", "#000000", "#FFFFFF")}


def test_curves_with_bands_and_the_oracle(runs):
    for seed, nll in enumerate((1.0, 2.0)):
        runs.functions("RMR", seed, nll)
    charts = [c for c in read(page(read_runs([runs.root]))).data if "traces" in c]
    optimum, band, mean, first, second = charts[0]["traces"]
    margin = 12.706205 * np.std([1, 2], ddof=1) / 2**0.5
    assert mean["y"] == [1.5] * 100 and mean["x"] == list(range(1, 101))
    assert band["y"][0] == pytest.approx(1.5 + margin, rel=1e-4)
    assert band["y"][-1] == pytest.approx(1.5 - margin, rel=1e-4)
    assert band["x"] == [*range(1, 101), *range(100, 0, -1)]
    assert (first["meta"]["seeds"], first["meta"]["within"]) == (["0"], ["0", "1"])
    assert second["y"][0] == 2
    assert optimum["y"] == [0] * 100 and optimum["name"].startswith("optimum")
    assert charts[1]["traces"][1]["y"] == [0.5] * 100, "the KL has a panel of its own"


def test_learning_is_averaged_where_all_were_validated(runs):
    first, second = runs.frames("DNC", 0, 2.0), runs.frames("DNC", 1, 4.0)
    write_metrics(second / "metrics.csv", "bound", -400, {"kl": [1.0]}, rows=60)
    charts = [c for c in read(page(read_runs([first, second]))).data if "titles" in c]
    band, mean, *singles = charts[0]["traces"]
    assert len(mean["x"]) == 60 and mean["x"][-1] == 600
    assert mean["y"][-1] == pytest.approx((-200 + 40 - 400) / 2)
    assert mean["meta"]["seconds"][-1] == 300
    assert [len(single["x"]) for single in singles] == [100, 60]
    assert len(band["meta"]["seconds"]) == len(band["x"]) == 120


def test_learning_shows_the_measure_of_the_ranking_first(runs):
    """A run's best state is selected by its bound; runs are ranked by their ratio."""
    first, second = runs.frames("DNC", 0), runs.frames("NTM", 0)
    rows = "step,seconds,val/bound,val/recall_ratio\n9,5,-8,0.9\n19,10,-7,0.5\n"
    (first / "metrics.csv").write_text(rows, encoding="utf-8")
    shown = read(page(read_runs([first, second])))
    ratio, bound = (chart["traces"] for chart in shown.data if "titles" in chart)
    assert [(line["name"], line["y"]) for line in ratio] == [("GTMM (DNC), seed 0", [0.9, 0.5])]
    assert [line["y"][-1] for line in bound] == [-7, -200]


def test_damaged_and_foreign_files_are_named_and_skipped(runs, tmp_path: Path):
    runs.frames("DNC", 0)
    (runs.frames("DNC", 1) / "results.json").write_text("", encoding="utf-8")
    old = runs.frames("DNC", 2)
    (old / "results.json").write_text('{"curves": {"kl": [1]}}', encoding="utf-8")
    with open(runs.frames("DNC", 3) / "metrics.csv", "a", encoding="utf-8") as file:
        file.write("1000,5")
    broken = runs.frames("DNC", 4)
    (broken / "results.json").unlink()
    (broken / "config.yaml").write_text("model: [", encoding="utf-8")
    pictured = runs.frames("DNC", 5)
    add_pictures(pictured, "generations")
    (pictured / "pictures/generations.png").write_bytes(b"\x89PNG half")
    (pictured / "memory_film.npz").write_bytes(b"PK half")
    (runs.root / "notes").mkdir()
    found = read_runs([runs.root])
    assert len(found.runs) == 5
    listed = re.findall(r"<li><code>([^<]*)</code> ([^<]*)</li>", page(found))
    reasons = {Path(path).relative_to(runs.root).as_posix(): reason for path, reason in listed}
    below = "datamodules.perfectrecall/DNC-"
    assert {path.removeprefix(below): reason for path, reason in reasons.items()} == {
        "1/results.json": "is empty",
        "2/results.json": "has no 'settings'; `test` did not write it",
        "3/metrics.csv": "lacks the end of its last line, which is left out: 1000,5...",
        "4/config.yaml": "is damaged: it is not YAML, or incomplete",
        "5/memory_film.npz": "is damaged, or was not written by `test`",
        "5/pictures/generations.png": "is damaged: it is not a picture, or incomplete",
        "notes": "holds no run: no results.json and no metrics.csv",
    }


@pytest.mark.parametrize(
    "config",
    [
        "model: {hidden: 3}\ndata: {batch_size: 2}\n",
        "model: x.yaml\ndata: {class_path: datamodules.PerfectRecall}\n",
        "only text",
        "- a\n- list\n",
    ],
)
@pytest.mark.parametrize("tested", [False, True])
def test_foreign_settings_stop_nothing(runs, config: str, tested: bool):
    folder = runs.frames("DNC", 0)
    (folder / "config.yaml").write_text(config, encoding="utf-8")
    if not tested:
        (folder / "results.json").unlink()
    runs.frames("DNC", 1)
    found = read_runs([runs.root])
    assert len(found.runs) == 1 + tested
    # Older results lack the trainer's settings.
    assert [problem.path for problem in found.problems] == [folder / "config.yaml"]


def test_empty_settings_of_a_class_are_its_defaults(runs):
    folder = runs.frames("DNC", 0)
    (folder / "results.json").unlink()
    settings = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    settings["data"]["init_args"] = None
    (folder / "config.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    assert len(read_runs([runs.root]).runs) == 1


def test_samples_are_of_the_test_set_where_there_are_some(runs):
    tested, fitted = (runs.frames("DNC", seed) for seed in range(2))
    add_pictures(tested, "generations", "generations_test")
    add_pictures(fitted, "generations")
    chosen = [picture_of(run, "generations") for run in read_runs([runs.root]).runs]
    assert set(chosen) == {
        tested / "pictures/generations_test.png",
        fitted / "pictures/generations.png",
    }


def test_runs_that_were_only_fitted_show_their_validations(runs):
    (runs.frames("DNC", 0, 3.0) / "results.json").unlink()
    rows = read(page(read_runs([runs.root]))).rows
    (row,) = [row for row in rows if row[0] == "GTMM (DNC)" and len(row) > 2]
    assert row[1] == "-300.0" and row[-3:] == ["validation", "0", "1,000"]


def test_there_must_be_something(tmp_path: Path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(NoRuns, match="no run has measurements that can be read"):
        page(read_runs([tmp_path]))
    with pytest.raises(NoRuns, match="there is no folder .*none"):
        read_runs([tmp_path / "none"])


def test_settings_that_differ_are_listed(runs):
    runs.frames("DNC", 0, run="a", memory={"slots": 8, "word_size": 4}, data={"num_workers": 1})
    runs.frames("DNC", 1, run="b", memory={"slots": 9, "word_size": 4}, data={"num_workers": 2})
    rows = read(page(read_runs([runs.root]))).rows
    header = next(row for row in rows if row[0] == "run")
    assert header[8:] == ["model.memory.slots"]
    assert [row[-1] for row in rows if row[0].endswith(("/a", "/b"))] == ["8", "9"]


def test_a_run_is_read_once(runs):
    folder = runs.frames("DNC", 0)
    found = read_runs([runs.root, folder, folder / "results.json"])
    assert len(found.runs) == 1 and found.problems == []


def test_two_hundred_runs_are_built_soon_and_stay_small(many: Path):
    start = time.process_time()
    found = read_runs([many])
    html = page(found)
    seconds, size = time.process_time() - start, len(html.encode())
    assert len(found.runs) == 200
    assert seconds < 30 and size < 20e6, (seconds, size)
    assert "more are left out, to keep the page small" in html


def test_where_no_answer_is_known_the_page_says_why(runs):
    for core in ("DNC", "NTM"):
        runs.frames(core, 0)
    section = '<section id="answer"><h2>The answer</h2><p>No answer yet: '
    html = page(read_runs([runs.root]))
    assert section in html and "three seeds in common; these have one.</p></section>" in html


@pytest.mark.parametrize(
    ("slots", "header", "differ"),
    (
        ((8,), "1 run, 1 tested; 1 file or folder left out", "1 run, 0 settings that differ"),
        ((8, 9), "2 runs, 2 tested; 2 files or folders left out", "2 runs, 1 setting that differs"),
    ),
)
def test_one_is_not_many(runs, slots: tuple[int, ...], header: str, differ: str):
    for number in slots:
        runs.frames("DNC", 0, run=f"{number}", memory={"slots": number})
        (runs.root / f"nothing{number}").mkdir()
    html = page(read_runs([runs.root]))
    assert f"<p>{header}</p>" in html and f">{differ}</p>" in html
