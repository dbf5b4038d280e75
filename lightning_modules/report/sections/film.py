"""Memory films: where the memory is written and read at the step of a slider."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from lightning_modules.records.benchmarks import BenchmarkRuns
from lightning_modules.records.film_file import Film, NoFilm, load_film
from lightning_modules.records.groups import Group
from lightning_modules.records.problems import Problem
from lightning_modules.records.run import Run
from lightning_modules.records.run_folder import RunFolder
from lightning_modules.report.embedding import Embedded, film_strip, left_out_of
from lightning_modules.report.film_chart import film_chart
from lightning_modules.report.marks import Marks
from lightning_modules.report.markup import Markup, data, join, tag
from lightning_modules.report.section import Section, panel
from lightning_modules.report.sections.gallery import figure, first_seeds_first

LEAD = (
    "The first test sequence. Above: the largest weight of any head, by step and slot; rings mark "
    "the slot in which the step that holds this step's answer was written most. Below: every head "
    "at the step of the slider. Weights in thousandths, colours on a square-root scale."
)


class FilmOfRun(NamedTuple):
    """A film with its run."""

    group: Group
    run: Run
    film: Film


def films(benchmarks: Sequence[BenchmarkRuns], embedded: Embedded) -> Section:
    """Return the section, with a panel and a slider for each benchmark."""
    panels = [panel for benchmark in benchmarks for panel in _panels(benchmark, embedded)]
    return Section("film", "Memory film", LEAD + left_out_of(embedded.budget), panels)


def _panels(benchmark: BenchmarkRuns, embedded: Embedded) -> Iterator[Markup]:
    films, others = _found(benchmark, embedded)
    contents = [embedded.budget.take(partial(_box, film)) for film in films]
    boxes = [Markup(content) for content in contents if content is not None]
    if boxes:
        content = _slider(films[0].film), tag("div", *boxes, class_="films")
        subtitle = f"First of {benchmark.details}"
        yield panel(benchmark.label, subtitle, *content, benchmark=benchmark.key)
    pictures = [
        figure(run, group, uri)
        for group, run in others
        if (uri := embedded.uri(_picture(run))) is not None
    ]
    if pictures:
        row = tag("div", *pictures, class_="row", tabindex="0")
        subtitle = "First validation sequence; a test adds the slider"
        yield panel(benchmark.label, subtitle, row, benchmark=benchmark.key)


def _found(
    benchmark: BenchmarkRuns, embedded: Embedded
) -> tuple[list[FilmOfRun], list[tuple[Group, Run]]]:
    """Return the films, and the runs that have only a picture of one."""
    films, others = [], []
    for group, run in first_seeds_first(benchmark):
        film = _film(run, embedded)
        if film is not None:
            films.append(FilmOfRun(group, run, film))
        elif _picture(run).is_file():
            others.append((group, run))
    return films, others


def _picture(run: Run) -> Path:
    return RunFolder(run.folder).pictures / "memory_film.png"


def _film(run: Run, embedded: Embedded) -> Film | None:
    path = RunFolder(run.folder).film
    if not path.is_file():
        return None
    try:
        return load_film(path)
    except NoFilm as reason:
        embedded.problems.append(Problem(path, str(reason)))
        return None


def _slider(film: Film) -> Markup:
    """Return the slider over steps, with each step's frame and the step that it recalls."""
    steps = len(film.frames)
    bar = tag("input", type="range", min=1, max=steps, value=1, aria_label="step", step=1)
    frame = tag("div", class_="frame", role="img", aria_label="the frame of this step")
    output = tag("output", "")
    content = {"strip": film_strip(film.frames), "recalled_from": film.recalled_from.tolist()}
    return tag("div", frame, tag("label", "Step ", bar), output, data(content), class_="slider")


def _box(each: FilmOfRun) -> Markup:
    caption = f"{each.group.label}, seed {each.run.seed_name}"
    chart = film_chart(each.film, each.group.colour).markup(f"Memory film of {caption}")
    marks = Marks(each.run.contestant, [each.run.seed_name])
    return join([tag("div", tag("h4", caption), chart, class_="film", **marks.attributes())])
