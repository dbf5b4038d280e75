"""The league table: cores by benchmarks, then every metric of each benchmark."""

from collections.abc import Iterable, Iterator, Sequence
from math import nan
from typing import NamedTuple

from lightning_modules.records.benchmarks import BenchmarkRuns
from lightning_modules.records.groups import (
    TEST,
    VALIDATION,
    Variant,
    by_stage,
    by_variant,
    seed_name,
)
from lightning_modules.records.readings import Column, Reading
from lightning_modules.records.run import RunRecord
from lightning_modules.records.significance import PairedDifference, holm, paired_difference
from lightning_modules.report.marks import Marks
from lightning_modules.report.markup import Markup, tag
from lightning_modules.report.section import Section, panel, scrolling, swatch

#: Chance of a false alarm that a star stands for.
LEVEL = 0.05
LEAD = (
    "Mean ± standard error over seeds. Bold: the best mean of tests. *: differs from the best, "
    "Student's t-test on pairs of runs with the same seed, two-sided, Holm's correction for the "
    f"number of models, p < {LEVEL}. Italic: not tested yet, from the last validation. A mean is "
    "shown while all of its seeds are ticked, else, below the first table, its runs one by one. "
    "Names are explained in docs/metrics.md."
)


class Row(NamedTuple):
    """A variant at one stage, beside the best one."""

    variant: Variant
    best: bool
    difference: PairedDifference | None  #: from the best; None for the best, and validations
    p: float  #: corrected; NaN where there is no test


class Standing(NamedTuple):
    """Of all variants on one benchmark."""

    benchmark: BenchmarkRuns
    headline: Column  #: they are ranked by it
    rows: list[Row]  #: the best tested first, then those that were only validated


def standing(benchmark: BenchmarkRuns) -> Standing:
    """Rank variants by the headline metric."""
    variants = [s for v in by_variant(benchmark.runs) for s in by_stage(v)]
    measured = [v for v in variants if v.stage == TEST] or variants
    column = headline(benchmark.runs[0].reading, measured)
    sign = 1 if column.better == "lower" else -1
    ranked = sorted(variants, key=lambda v: _rank(v, column.scalar, sign))
    tested = [variant for variant in ranked if variant.stage == TEST]
    values = [variant.by_seed(column.scalar) for variant in tested]
    against = [paired_difference(own, values[0]) for own in values[1:]]
    rows = [Row(variant, True, None, nan) for variant in tested[:1]]
    corrected = holm([each.p for each in against])
    rows += map(Row, tested[1:], [False] * len(against), against, corrected)
    rows += [Row(v, False, None, nan) for v in ranked if v.stage == VALIDATION]
    return Standing(benchmark, column, rows)


def headline(reading: Reading, variants: Iterable[Variant]) -> Column:
    """The first of the family's headlines that all know who know any; else its last one."""
    columns = {column.scalar: column for column in reading.columns}
    known = [
        {name for name in reading.headlines if variant.scalar(name).mean.isfinite()}
        for variant in variants
    ]
    by_all = set(reading.headlines).intersection(*filter(None, known)) if any(known) else set()
    return columns[next((n for n in reading.headlines if n in by_all), reading.headlines[-1])]


def _rank(variant: Variant, scalar: str, sign: int) -> tuple[bool, bool, float]:
    mean = float(variant.scalar(scalar).mean)
    return variant.stage == VALIDATION, mean != mean, sign * mean


def league(benchmarks: Sequence[BenchmarkRuns]) -> Section:
    """All tables."""
    standings = [standing(benchmark) for benchmark in benchmarks]
    overview = panel("Cores by benchmarks", "", scrolling(_overview(standings)))
    return Section("league", "League table", LEAD, [overview, *map(_details, standings)])


def _overview(standings: Sequence[Standing]) -> Markup:
    labels = dict.fromkeys(row.variant.label for each in standings for row in each.rows)
    head = [
        tag("th", s.benchmark.label, tag("small", _with_arrow(s.headline)), **_on(s.benchmark))
        for s in standings
    ]
    body = [_overview_row(label, standings) for label in labels]
    return _table([tag("th", "model"), *head], body, "overview")


def _overview_row(label: str, standings: Sequence[Standing]) -> Markup:
    found = [[row for row in s.rows if row.variant.label == label] for s in standings]
    first = next(row.variant for rows in found for row in rows)
    cells = [
        tag("td", *(_overview_number(row, s.headline) for row in rows[:1]), **_on(s.benchmark))
        for s, rows in zip(standings, found, strict=True)
    ]
    return tag("tr", _name_cell(first), *cells, **Marks(core=first.core).attributes())


def _overview_number(row: Row, column: Column) -> Markup:
    number = _number(row.variant, column)
    text = tag(
        "strong" if row.best else "em" if row.variant.stage == VALIDATION else "span", number
    )
    star = "*" * (row.p < LEVEL)
    return tag("span", text, star, **Marks(seeds=row.variant.seeds).attributes())


def _on(benchmark: BenchmarkRuns) -> dict[str, str]:
    return Marks(benchmark=benchmark.key).attributes()


def _details(standing: Standing) -> Markup:
    first, *others = map(_with_arrow, _columns(standing))
    compared = ["to the best", "p", "pairs"]
    head = ["model", first, *compared, *others, "measured in", "seed", "training steps"]
    rows = [line for row in standing.rows for line in _detail_rows(row, standing)]
    table = scrolling(_table([tag("th", title) for title in head], rows, "details"))
    key = standing.benchmark.key
    return panel(standing.benchmark.label, standing.benchmark.details, table, benchmark=key)


def _detail_rows(row: Row, standing: Standing) -> Iterator[Markup]:
    """The mean, then the runs that stand in for it when a seed is not ticked."""
    runs, seeds = row.variant.runs, row.variant.seeds
    compared = _compared(row, standing.headline.digits)
    numbers = _numbers(row.variant, standing, compared)
    yield _detail_row(row, runs, ", ".join(seeds), numbers, Marks(row.variant.core, seeds))
    for run in runs if len(runs) > 1 else ():
        numbers = _numbers(row.variant._replace(runs=[run]), standing, ["", "", ""])
        marks = Marks(row.variant.core, [seed_name(run)], seeds)
        yield _detail_row(row, [run], seed_name(run), numbers, marks)


def _columns(standing: Standing) -> list[Column]:
    """The headline, then the others that any run knows."""
    columns = standing.benchmark.runs[0].reading.columns
    others = (column for column in columns if column != standing.headline)
    return [standing.headline, *(column for column in others if _is_known(column, standing))]


def _is_known(column: Column, standing: Standing) -> bool:
    return any(row.variant.values(column.scalar).isfinite().any() for row in standing.rows)


def _numbers(variant: Variant, standing: Standing, compared: Sequence[str]) -> list[str]:
    """The headline, how it compares, then the others."""
    columns = _columns(standing)
    first, *others = (_number(variant, column) for column in columns)
    return [first, *compared, *others]


def _number(variant: Variant, column: Column) -> str:
    """Mean and error, and over how many runs where some diverged."""
    number = variant.scalar(column.scalar).in_words(column.digits)
    values = variant.values(column.scalar)
    known = int(values.isfinite().sum())
    return number if known in (0, len(values)) else f"{number} ({known} of {len(values)} runs)"


def _detail_row(
    row: Row, runs: Sequence[RunRecord], seeds: str, numbers: Sequence[str], marks: Marks
) -> Markup:
    texts = [row.variant.stage, seeds, _from_to([run.training_steps for run in runs])]
    cells = [tag("td", text) for text in (*numbers, *texts)]
    kind = "best" if row.best else row.variant.stage
    return tag("tr", _name_cell(row.variant), *cells, class_=kind, **marks.attributes())


def _compared(row: Row, digits: int) -> list[str]:
    """Difference from the best, p and the number of pairs."""
    if row.difference is None:
        return ["best" if row.best else "", "", ""]
    mean, error = (
        f"{value:+.{digits}f}" if value == value else ""
        for value in (row.difference.mean, row.difference.error)
    )
    shown = f"{mean} ± {error.lstrip('+')}" if error else mean
    return [shown or "-", _p_value(row.p), str(row.difference.pairs)]


def _p_value(p: float) -> str:
    if p != p:
        return "-"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _name_cell(variant: Variant) -> Markup:
    return tag("th", swatch(variant), variant.label, scope="row")


def _with_arrow(column: Column) -> str:
    return f"{column.header} {'↓' if column.better == 'lower' else '↑'}"


def _from_to(values: Sequence[int]) -> str:
    least, most = min(values), max(values)
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"


def _table(head: Sequence[Markup], rows: Sequence[Markup], kind: str) -> Markup:
    return tag("table", tag("thead", tag("tr", *head)), tag("tbody", *rows), class_=kind)
