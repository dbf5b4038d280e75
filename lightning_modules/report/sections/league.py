"""League table: models by benchmarks, then all measures of each benchmark."""

from collections.abc import Iterable, Iterator, Sequence

from lightning_modules.declarations import ARROWS, Family, Measure
from lightning_modules.records.benchmarks import BenchmarkRuns
from lightning_modules.records.groups import VALIDATION, Group
from lightning_modules.records.ranking import NO_CONCLUSION, Ranking, Row
from lightning_modules.records.run import Run
from lightning_modules.records.significance import LEVEL
from lightning_modules.records.sizes import SIZES, sizes_in_words
from lightning_modules.report.chart import capitalised
from lightning_modules.report.marks import Marks
from lightning_modules.report.markup import Markup, join, tag
from lightning_modules.report.section import Section, folded, name_cell, panel, scrolling, swatch

LEAD = (
    "Mean over seeds [its 95% interval]. Bold: the best; *: differs from the reference, at "
    f"p < {LEVEL}."
)
EXPLANATION = (
    "Intervals are Student's. Models are ranked by one measure, the first column of their table. "
    "Bold: the best mean over tests, if it is over three seeds or more and there is another model "
    "to compare with. Arrows show which values are better; measures without an arrow have no "
    "better direction. The reference is the best of the models that share three seeds with the "
    "most others. Differences from it are between runs with the same seed, each with its own "
    "interval. p: two-sided Student's t-test on these pairs, with Holm's correction for the number "
    f"of models; no conclusion: p of {LEVEL} or more, or fewer than three pairs. The reference was "
    "chosen on the same seeds, which p does not account for. Italic: not tested yet, values of the "
    "last validation. A mean is shown while all of its seeds are ticked; otherwise its runs are "
    "shown one by one, below the first table."
)


def league(rankings: Sequence[Ranking]) -> Section:
    """Return the section with all tables."""
    panels = [*_overviews(rankings), *map(_details, rankings)]
    glossary = folded("What the columns mean", *_glossary(rankings))
    tested = folded("How models are compared", tag("p", EXPLANATION))
    return Section("league", "League table", LEAD, panels, [tested, glossary])


def _by_family(rankings: Sequence[Ranking]) -> dict[str, list[Ranking]]:
    """Group rankings by model family, under its name as a title."""
    families: dict[str, list[Ranking]] = {}
    for ranking in rankings:
        families.setdefault(capitalised(ranking.benchmark.family.name), []).append(ranking)
    return families


def _glossary(rankings: Sequence[Ranking]) -> Iterator[Markup]:
    """Yield explanations of each family's shown measures, and of measures that these mention."""
    for title, own in _by_family(rankings).items():
        first, *others = (each.benchmark.family for each in own)
        columns = {column.name: column for each in own for column in _columns(each)}
        yield tag("h4", title)
        yield tag("dl", *_entries(first.joined(others), columns.values()))


def _entries(family: Family, columns: Iterable[Measure]) -> Iterator[Markup]:
    for measure in family.explained(columns):
        yield tag("dt", measure.shown_name + ARROWS[measure.better], *_unit(measure))
        yield tag("dd", family.in_words(measure.sentence))


def _overviews(rankings: Sequence[Ranking]) -> Iterator[Markup]:
    """Yield an overview for each family; families share no benchmarks."""
    for title, own in _by_family(rankings).items():
        yield panel("Cores by benchmarks", title, scrolling(_overview(own)))


def _overview(rankings: Sequence[Ranking]) -> Markup:
    labels = dict.fromkeys(row.group.label for each in rankings for row in each.rows)
    head = [_overview_heading(each.benchmark, each.headline) for each in rankings]
    body = [_overview_row(label, rankings) for label in labels]
    return _table([*_plain("model"), *head], body, "overview")


def _overview_heading(benchmark: BenchmarkRuns, by: Measure) -> Markup:
    measured = tag("small", by.heading)
    meaning = benchmark.family.in_words(by.sentence)
    return tag("th", benchmark.label, measured, *_unit(by), title=meaning, **_on(benchmark))


def _heading(column: Measure, family: Family) -> Markup:
    meaning = family.in_words(column.sentence)
    return tag("th", column.heading, *_unit(column), title=meaning)


def _unit(measure: Measure) -> Iterator[Markup]:
    """Yield a line with the unit, if there is one."""
    if measure.shown_unit:
        yield tag("small", measure.shown_unit)


def _overview_row(label: str, rankings: Sequence[Ranking]) -> Markup:
    by_ranking = [[row for row in s.rows if row.group.label == label] for s in rankings]
    first = next(row.group for rows in by_ranking for row in rows)
    cells = [
        tag("td", *(_overview_number(row, s.headline) for row in rows[:1]), **_on(s.benchmark))
        for s, rows in zip(rankings, by_ranking, strict=True)
    ]
    return tag("tr", _name_cell(first), *cells, **Marks(core=first.contestant).attributes())


def _overview_number(row: Row, column: Measure) -> Markup:
    """Return a mean, below it the interval, and below that the number of seeds."""
    mean, _, interval = row.group.number(column).partition(" ")
    text = tag("strong" if row.best else "em" if row.group.stage == VALIDATION else "span", mean)
    below = (tag("small", each) for each in (interval, row.group.size) if each)
    star = "*" * row.conclusive
    return tag("span", text, star, *below, **Marks(seeds=row.group.seeds).attributes())


def _on(benchmark: BenchmarkRuns) -> dict[str, str]:
    return Marks(benchmark=benchmark.key).attributes()


def _details(ranking: Ranking) -> Markup:
    benchmark = ranking.benchmark
    first, *others = (_heading(each, benchmark.family) for each in _columns(ranking))
    compared = _plain("from the reference", "p", "pairs")
    sizes, of_runs = _plain(*SIZES.values()), _plain("measured in", "seed", "training steps")
    head = [*_plain("model"), first, *compared, *sizes, *others, *of_runs]
    rows = [line for row in ranking.rows for line in _detail_rows(row, ranking)]
    table = scrolling(_table(head, rows, "details"))
    explanation = tag("p", benchmark.family.in_words(ranking.explanation), class_="subtitle")
    return panel(benchmark.label, benchmark.details, explanation, table, benchmark=benchmark.key)


def _plain(*titles: str) -> list[Markup]:
    """Return headings of columns that are not measures."""
    return [tag("th", title) for title in titles]


def _detail_rows(row: Row, ranking: Ranking) -> Iterator[Markup]:
    """Yield the row of the mean, then the runs' rows, shown when a seed is not ticked."""
    runs, seeds = row.group.runs, row.group.seeds
    compared = _compared(row, ranking.headline.digits)
    numbers = _numbers(row.group, ranking, compared)
    yield _detail_row(row, runs, ", ".join(seeds), numbers, Marks(row.group.contestant, seeds))
    for run in runs if len(runs) > 1 else ():
        numbers = _numbers(row.group._replace(runs=[run]), ranking, ["", "", ""])
        marks = Marks(row.group.contestant, [run.seed_name], seeds)
        yield _detail_row(row._replace(best=False), [run], run.seed_name, numbers, marks)


def _columns(ranking: Ranking) -> list[Measure]:
    """List the headline, then the other measures that any run has."""
    columns = ranking.benchmark.family.columns
    others = (column for column in columns if column != ranking.headline)
    return [ranking.headline, *(column for column in others if _is_known(column, ranking))]


def _is_known(column: Measure, ranking: Ranking) -> bool:
    return any(row.group.knowing(column.name).runs for row in ranking.rows)


def _numbers(group: Group, ranking: Ranking, compared: Sequence[str]) -> list[str]:
    """List the headline's value, the comparison, sizes, then the other values."""
    columns = _columns(ranking)
    first, *others = (group.number(column) for column in columns)
    return [first, *compared, *sizes_in_words(group.runs), *others]


def _detail_row(
    row: Row, runs: Sequence[Run], seeds: str, numbers: Sequence[str], marks: Marks
) -> Markup:
    steps = _from_to([run.training_steps for run in runs])
    texts = [row.group.stage, seeds, steps]
    first, *others = (tag("td", text) for text in (*numbers, *texts))
    if row.best:
        first = tag("td", tag("strong", numbers[0]))
    kind = "best" if row.best else row.group.stage
    return tag("tr", _name_cell(row.group), first, *others, class_=kind, **marks.attributes())


def _compared(row: Row, digits: int) -> list[str]:
    """Return the difference from the reference, p and the number of pairs."""
    if row.difference is None:
        return [f"{'best, ' * row.best}{row.in_words(digits)}", "", ""]
    below = [] if row.conclusive else [tag("small", NO_CONCLUSION)]
    difference = join([row.difference.in_words(digits), *below])
    return [difference, _p_value(row.p), str(row.difference.pairs)]


def _p_value(p: float) -> str:
    if p != p:
        return "-"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _name_cell(group: Group) -> Markup:
    return name_cell(swatch(group), group.label)


def _from_to(values: Sequence[int]) -> str:
    least, most = min(values), max(values)
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"


def _table(head: Sequence[Markup], rows: Sequence[Markup], kind: str) -> Markup:
    return tag("table", tag("thead", tag("tr", *head)), tag("tbody", *rows), class_=kind)
