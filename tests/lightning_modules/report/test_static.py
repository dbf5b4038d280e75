"""The page in Chromium: panels, filter, switch and slider; also on phones and in dark mode."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lightning_modules.records.reader import read_runs
from lightning_modules.report.live import LivePage, server
from lightning_modules.report.page import page, write
from tests.lightning_modules.records.made_up_runs import Runs, add_film, add_pictures
from tests.lightning_modules.report.browser import (
    Browser,
    chromium,
    needs_chromium,
    seconds_to_paint,
)

pytestmark = needs_chromium
PANELS = {
    "answer": 1,
    "league": 4,
    "steps": 3,
    "learning": 2,
    "scaling": 1,
    "gallery": 1,
    "film": 1,
    "configuration": 2,
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with two benchmarks, three seeds of DNC and NTM, and DNCs of two sizes."""
    runs = Runs(tmp_path_factory.mktemp("page") / "runs")
    for seed in range(3):
        for core, kl in (("DNC", 2.0), ("NTM", 4.0)):
            folder = runs.frames(core, seed, kl + seed, memory={"slots": 8})
            add_pictures(folder, "generations")
            add_film(folder)
        runs.frames("DNC", seed, 1.5 + seed, run=f"large{seed}", memory={"slots": 16})
    runs.functions("RMR", 0)
    (runs.root / "nothing").mkdir()
    path = runs.root.parent / "page.html"
    write(page(read_runs([runs.root])), path)
    return path


@pytest.fixture
def opened(browser: Browser, written: Path) -> Browser:
    browser.look(1400)
    browser.open(written)
    browser.complaints()
    return browser


@pytest.mark.parametrize("dark", (False, True), ids=("light", "dark"))
@pytest.mark.parametrize("width", (400, 1400))
def test_everything_is_drawn_and_nothing_is_too_wide(browser, written, width: int, dark: bool):
    browser.look(width, dark)
    browser.open(written)
    browser.scroll_through()
    for section, panels in PANELS.items():
        assert len(browser.shown(f"#{section} .panel")) == panels, section
    drawn = browser.js("[...document.querySelectorAll('.plot')].map((p) => p._fullData.length)")
    assert len(drawn) == 3 + 2 + 1 + 6 and min(drawn) > 0
    assert browser.js("document.documentElement.scrollWidth") <= width
    assert browser.js("[...document.images].every((i) => i.complete && i.naturalWidth > 0)")
    ink = browser.js("getComputedStyle(document.body).color")
    assert ink == ("rgb(232, 232, 232)" if dark else "rgb(26, 26, 26)")
    background = "document.querySelector('#steps .plot')._fullLayout.xaxis.gridcolor"
    assert browser.js(background) == ("#283442" if dark else "#EBF0F8")
    assert browser.complaints() == []


def test_a_core_that_is_not_ticked_is_gone(opened: Browser):
    opened.scroll_through()
    opened.click("#filters [value=NTM]")
    assert not [t for t in opened.shown("main tr, .film, figure, .key li") if "NTM" in t]
    assert [t for t in opened.shown("main tr") if "GTMM (DNC" in t]
    opened.click("#filters [value=DNC]")
    cores = "[...document.querySelectorAll('.plot')].filter((p) => p.offsetParent)"
    seen = f"{cores}.flatMap((p) => p._fullData.filter((t) => t.visible).map((t) => t.meta.core))"
    assert set(opened.js(seen)) - {None} == {"RMR"}
    assert opened.shown("#film .panel") == [] == opened.shown("#film h2")
    assert len(opened.shown("#steps .panel")) == 2
    assert opened.complaints() == []


@pytest.mark.parametrize("width", (390, 1400))
def test_standings_are_drawn_and_follow_the_cores_that_are_ticked(
    browser: Browser, runs: Runs, tmp_path: Path, width: int
):
    for steps in (20, 30):
        for core, kl in (("NoMemory", 10.0), ("DNC", 2.0), ("NTM", 4.0)):
            runs.frames(core, 0, kl, run=f"{core}-{steps}", steps=steps)
    write(page(read_runs([runs.root])), tmp_path / "page.html")
    browser.look(width)
    browser.open(tmp_path / "page.html")
    browser.scroll_through()
    lines = (
        "document.querySelector('#overall .plot')._fullData"
        ".filter((t) => t.visible).map((t) => t.name)"
    )
    assert browser.js(lines) == ["DNC", "NTM", "NoMemory"]
    assert len(browser.shown("#overall .panel")) == 3
    assert browser.js("document.documentElement.scrollWidth") <= width
    browser.click("#filters [value=NTM]")
    assert browser.js(lines) == ["DNC", "NoMemory"]
    pairs = browser.shown("#overall .panel:last-child tr")
    assert [row.split() for row in pairs] == [
        ["better", "than", "DNC", "NoMemory"],
        ["DNC", "-", "1.00"],
        ["NoMemory", "0.00", "-"],
    ]
    assert browser.complaints() == []


@pytest.mark.parametrize("width", (390, 1400))
def test_tables_come_soon_and_statistics_unfold(
    browser: Browser, runs: Runs, tmp_path: Path, width: int
):
    for steps in (20, 30):
        for core in ("NoMemory", "DNC"):
            runs.frames(core, run=f"{core}-{steps}", steps=steps)
    write(page(read_runs([runs.root])), tmp_path / "page.html")
    browser.look(width)
    browser.open(tmp_path / "page.html")
    for section in ("#overall", "#league"):
        place = f"document.querySelector('{section} .panel').offsetTop"
        above = f"document.querySelector('{section}').offsetTop"
        assert browser.js(f"{place} - {above}") < 200, "heading, a sentence, and summaries"
        (text, *_) = browser.shown(f"{section} .folded p") or [""]
        assert text == ""
        browser.click(f"{section} summary")
        (text, *_) = browser.shown(f"{section} .folded p")
        assert "Student's" in text


def test_a_benchmark_that_is_not_ticked_is_gone(opened: Browser):
    opened.click("#filters [name=benchmark]")
    assert opened.shown("#steps h3") == ["Perfect recall"]
    assert opened.shown("table.overview thead th")[1:] == ["Perfect recall\nKL ratio, old ↓"]
    assert opened.shown("#league .subtitle")[0] == "Generative temporal models"
    opened.click("#filters [name=benchmark]")
    assert len(opened.shown("table.overview")) == 2, "it comes back"


def test_on_a_phone_a_number_is_read_whole_beside_its_model(
    browser: Browser, runs: Runs, tmp_path: Path
):
    for seed in range(3):
        for slots in (8, 16):
            memory = {"slots": slots, "recurrent_path": slots > 8, "learning_rate": slots / 4_000}
            run = f"{slots}-{seed}"
            runs.frames("ContextWindow", seed, (1 + seed) * slots / 8, run=run, memory=memory)
    write(page(read_runs([runs.root])), tmp_path / "page.html")
    browser.look(390)
    browser.open(tmp_path / "page.html")
    widths = "[...document.querySelectorAll(arguments[0])].map((e) => e.clientWidth)"
    assert "no conclusion" in " ".join(browser.shown(".details small"))
    for table in (".overview", ".details"):
        (frame,) = set(browser.js(widths, f".scrolling:has({table})"))
        frozen = browser.js(widths, f"{table} th:first-child")
        assert max(frozen) <= 0.4 * frame + 1
        assert max(browser.js(widths, f"{table} td")) <= frame - max(frozen)


def test_runs_stand_in_for_a_mean_of_which_a_seed_is_missing(opened: Browser):
    rows = "table.details tr[data-core=NTM]"
    assert [row.split("\t")[1] for row in opened.shown(rows)] == ["0.500 [0.252, 0.748]"]
    opened.click("#filters [name=seed][value='2']")
    assert [row.split("\t")[1] for row in opened.shown(rows)] == ["0.400", "0.500"]
    opened.js("document.querySelector('#steps').scrollIntoView()")
    seeds = (
        "[...document.querySelectorAll('#steps .plot')].at(-1)"
        "._fullData?.filter((t) => t.visible && t.meta.core === 'NTM').map((t) => t.meta.seeds)"
    )
    opened.wait(lambda: opened.js(seeds) == [["0"], ["1"]])
    opened.click("#filters [name=seed][value='2']")
    assert opened.js(seeds) == [["0", "1", "2"]] * 2, "band and mean"


def test_learning_against_seconds(opened: Browser):
    opened.scroll_through()
    plot = "document.querySelector('#learning .plot')"
    assert opened.js(f"{plot}._fullLayout.xaxis.title.text") == "training steps"
    opened.click("#against [value=seconds]")
    assert opened.js(f"{plot}._fullLayout.xaxis.title.text") == "training time (seconds)"
    assert opened.js(f"{plot}._fullData.at(-1).x.at(-1)") == 500


def test_the_slider_moves_all_films(opened: Browser):
    opened.scroll_through()
    assert opened.shown("#film output") == ["1 of 12: new"]
    films = "[...document.querySelectorAll('.film .plot')]"
    weights = f"{films}.map((place) => [...place._fullData.at(-1).z[0]])"
    assert opened.js(weights) == [[1000, 0, 0, 0, 0, 0]] * 6
    opened.js(
        "(() => { const bar = document.querySelector('#film input'); bar.value = 4;"
        "bar.dispatchEvent(new Event('input')); })()"
    )
    opened.wait(lambda: opened.shown("#film output") == ["4 of 12: recalled from step 1"])
    assert opened.js(weights) == [[0, 0, 0, 1000, 0, 0]] * 6
    assert opened.js("document.querySelector('.film .plot').layout.shapes[0].x0") == 4
    assert opened.complaints() == []


def test_a_page_of_two_hundred_runs_is_painted_soon(browser: Browser, many: Path, tmp_path: Path):
    write(page(read_runs([many])), tmp_path / "page.html")
    browser.look(1400)
    browser.open(tmp_path / "page.html")
    seconds = seconds_to_paint(browser)
    assert seconds < 3, seconds
    assert browser.complaints() == []


def test_a_live_page_comes_again_and_keeps_what_was_set(browser: Browser, runs: Runs):
    add_film(runs.frames("DNC", 0))
    runs.frames("NTM", 0)
    with server(LivePage([runs.root]), 0) as web_server:
        thread = threading.Thread(target=web_server.serve_forever)
        thread.start()
        browser.open(f"http://127.0.0.1:{web_server.server_port}/")
        browser.click("#filters [value=NTM]")
        browser.click("#against [value=seconds]")
        browser.js("document.querySelector('#film input').value = 4")
        browser.click("#league summary")
        runs.frames("LRU", 0)
        browser.wait(lambda: browser.shown("table.overview tr[data-core=LRU]"))
        assert browser.shown("table.overview tr[data-core=NTM]") == []
        unfolded = "[...document.querySelectorAll('#league details')].map((fold) => fold.open)"
        assert browser.js(unfolded) == [True, False]
        assert browser.js("document.querySelector('#against input:checked').value") == "seconds"
        browser.wait(
            lambda: (
                browser.js("document.querySelector('#film output').textContent")
                == "4 of 12: recalled from step 1"
            )
        )
        browser.open("about:blank")
        web_server.shutdown()
        thread.join()
    assert browser.complaints() == []
