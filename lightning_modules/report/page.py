"""Page of ``compare``: all sections, scripts and styles in one file."""

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import plotly.io as pio
from plotly.offline import get_plotlyjs

from lightning_modules.names import counted
from lightning_modules.records.benchmarks import BenchmarkRuns, by_benchmark
from lightning_modules.records.durable_file import write_durably
from lightning_modules.records.problems import NoRuns, Problem
from lightning_modules.records.ranking import ranked
from lightning_modules.records.reader import Found
from lightning_modules.records.showing import shown_by
from lightning_modules.report.embedding import Embedded
from lightning_modules.report.filters import filters
from lightning_modules.report.markup import Markup, data, join, tag
from lightning_modules.report.section import Section
from lightning_modules.report.sections.answer import answer
from lightning_modules.report.sections.configuration import configuration
from lightning_modules.report.sections.film import films
from lightning_modules.report.sections.gallery import gallery
from lightning_modules.report.sections.league import league
from lightning_modules.report.sections.learning_curves import learning_curves
from lightning_modules.report.sections.left_out import left_out
from lightning_modules.report.sections.memory_scaling import memory_scaling
from lightning_modules.report.sections.probes import probes
from lightning_modules.report.sections.standings import overall
from lightning_modules.report.sections.state_size import state_size
from lightning_modules.report.sections.step_curves import step_curves

#: Budgets in characters; a page has at most 20 million, of which Plotly takes 5.
FOR_FILMS, FOR_PICTURES = 2_000_000, 4_000_000
NOTHING_TO_SHOW = "no run has measurements that can be read"
TITLE = "Which memory should my sequence model have?"
#: Plotly's templates for light and dark pages.
TEMPLATES = {"light": "plotly_white", "dark": "plotly_dark"}
#: Nothing is loaded from elsewhere; a live page polls its own server.
POLICY = (
    "default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; connect-src 'self'"
)


def page(found: Found, *scripts: Markup) -> str:
    """Return the page as HTML.

    Args:
        found: the runs, and what could not be read.
        *scripts: additional elements at the end of the page.

    Raises:
        NoRuns: there is nothing to show.
    """
    if not found.runs:
        raise NoRuns(NOTHING_TO_SHOW)
    content, _ = shown_by(content_of, found)
    body = tag("body", content, *_scripts(), *scripts)
    return f"<!doctype html>{tag('html', _head(), body, lang='en')}\n"


def encoded(content: str) -> bytes:
    """Encode a page as UTF-8; lone surrogates are escaped."""
    return content.encode("utf-8", "backslashreplace")


def write(content: str, path: Path) -> None:
    """Write the page atomically."""
    write_durably(path, encoded(content))


def _sections(benchmarks: Sequence[BenchmarkRuns], problems: Sequence[Problem]) -> list[Section]:
    for_films, for_pictures = Embedded(FOR_FILMS), Embedded(FOR_PICTURES)
    of_probes: list[Problem] = []
    rankings = [ranked(benchmark) for benchmark in benchmarks]
    sections = [
        answer(rankings),
        overall(benchmarks),
        league(rankings),
        step_curves(benchmarks),
        learning_curves(rankings),
        memory_scaling(benchmarks),
        state_size(rankings),
        probes(benchmarks, of_probes),
        gallery(benchmarks, for_pictures),
        films(benchmarks, for_films),
        configuration(benchmarks),
    ]
    # These are known only once all sections are built.
    later = (*for_pictures.problems, *for_films.problems, *of_probes)
    return [*sections, left_out([*problems, *later])]


def content_of(found: Found) -> Markup:
    """Return the visible content of the page."""
    benchmarks = by_benchmark(found.runs)
    sections = [section for section in _sections(benchmarks, found.problems) if section.panels]
    return join([_header(sections, found), filters(benchmarks), _main(sections)])


def _head() -> Markup:
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("link", rel="icon", href="data:,"),
        tag("title", TITLE),
        tag("style", static("page.css")),
    )


def _header(sections: Sequence[Section], found: Found) -> Markup:
    links = [tag("a", section.title, href=f"#{section.key}") for section in sections]
    tested = sum(run.tested is not None for run in found.runs)
    runs = f"{counted(len(found.runs), 'run')}, {tested} tested"
    excluded = counted(len(found.problems), "file or folder", "files or folders")
    note = f"; {excluded} left out" if found.problems else ""
    return tag("header", tag("h1", TITLE), tag("p", runs + note), tag("nav", *links))


def _main(sections: Sequence[Section]) -> Markup:
    return tag("main", *(section.markup() for section in sections))


def _scripts() -> list[Markup]:
    """Return the scripts, which follow the content so that it appears first."""
    templates = {shade: _template(name) for shade, name in TEMPLATES.items()}
    holder = tag("div", data(templates), id="templates", hidden=True)
    return [holder, tag("script", Markup(get_plotlyjs())), tag("script", static("page.js"))]


def _template(name: str) -> Any:
    return {"layout": pio.templates[name].layout.to_plotly_json()}


def static(name: str) -> Markup:
    """Read a static file of this package."""
    return Markup(
        files("lightning_modules.report").joinpath("static", name).read_text(encoding="utf-8")
    )
