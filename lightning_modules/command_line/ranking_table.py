"""Formats rankings as tables: one per benchmark, with a row per group of tested runs."""

from collections.abc import Iterator, Sequence
from textwrap import fill
from typing import NamedTuple

from lightning_modules.declarations import Measure
from lightning_modules.names import short_revision
from lightning_modules.records.benchmarks import by_benchmark
from lightning_modules.records.groups import Group
from lightning_modules.records.ranking import Ranking, Row, ranked
from lightning_modules.records.run import Run
from lightning_modules.records.sizes import sizes_in_words
from lightning_modules.table import WIDTH, columns, markdown

#: Number of leading text columns.
TEXTS = 2
UNKNOWN = "-"
#: Heading of the differences from the reference group.
FROM_REFERENCE = "from the reference"


class RankingTable(NamedTuple):
    """The cells of a ranking's table."""

    ranking: Ranking
    header: list[str]
    rows: list[list[str]]  #: the best group first

    def in_text(self) -> str:
        """Format it for a terminal, below the benchmark's name."""
        benchmark = self.ranking.benchmark
        return "\n".join(
            [f"{benchmark.label}: {benchmark.details}", columns(self.header, self.rows, TEXTS)]
        )

    def in_markdown(self) -> str:
        """Format it as Markdown, below a heading."""
        benchmark = self.ranking.benchmark
        explanation = fill(self.ranking.explanation, WIDTH)
        table = markdown(self.header, self.rows)
        return "\n".join(
            [f"## {benchmark.label}", "", benchmark.details, "", explanation, "", table]
        )


def rankings(runs: Sequence[Run]) -> list[Ranking]:
    """Rank the tested runs on each of their benchmarks."""
    tested = [run for run in runs if run.tested is not None]
    return [ranked(benchmark) for benchmark in by_benchmark(tested)]


def brief(ranking: Ranking) -> RankingTable:
    """Build a table of the headline measures, for a terminal."""
    measures = _known(ranking, ranking.benchmark.family.headlines)
    header = ["model", "core", "seeds", *_headings(ranking, measures)]
    rows = [
        [*_names(row.group), str(len(row.group.seeds)), *_numbers(row, ranking, measures)]
        for row in ranking.rows
    ]
    return RankingTable(ranking, header, rows)


def full(ranking: Ranking) -> RankingTable:
    """Build a table of all columns, with training steps, time and versions."""
    measures = _known(ranking, ranking.benchmark.family.columns)
    first, *others = _headings(ranking, measures)
    header = ["model", "core", "parameters", "state size", "seeds", first, *others]
    header += ["training steps", "least seconds of training", "versions"]
    rows = [_full_row(row, ranking, measures) for row in ranking.rows]
    return RankingTable(ranking, header, rows)


def _full_row(row: Row, ranking: Ranking, measures: Sequence[Measure]) -> list[str]:
    group = row.group
    return [
        *_names(group),
        *sizes_in_words(group.runs),
        f"{group.size}: {', '.join(group.seeds)}",
        *_numbers(row, ranking, measures),
        _span([run.training_steps for run in group.runs]),
        "; ".join(_seconds(group)) or UNKNOWN,
        "; ".join(dict.fromkeys(filter(None, map(_versions, group.runs)))) or UNKNOWN,
    ]


def _known(ranking: Ranking, measures: Sequence[Measure]) -> list[Measure]:
    """List the ranking measure, then those others that any group has."""
    groups = [row.group for row in ranking.rows]
    others = (measure for measure in measures if measure != ranking.headline)
    finite = (m for m in others if any(group.scalar(m.name).mean.isfinite() for group in groups))
    return [ranking.headline, *finite]


def _headings(ranking: Ranking, measures: Sequence[Measure]) -> list[str]:
    first, *others = (measure.heading for measure in measures)
    return [first, *([FROM_REFERENCE] if len(ranking.rows) > 1 else []), *others]


def _names(group: Group) -> list[str]:
    """Return the model, and its core if that is a setting, with the settings that vary."""
    core = [group.core] if "model.memory" in group.runs[0].settings else []
    return [group.model, ", ".join([*core, *group.settings]) or UNKNOWN]


def _numbers(row: Row, ranking: Ranking, measures: Sequence[Measure]) -> list[str]:
    first, *others = (row.group.number(each) for each in measures)
    difference = [row.in_words(measures[0].digits)] if len(ranking.rows) > 1 else []
    return [first, *difference, *others]


def _span(numbers: Sequence[int | None]) -> str:
    """Format the number that all runs share, or the least and the greatest."""
    values = sorted({number for number in numbers if number is not None})
    ends = dict.fromkeys(f"{number:,}" for number in (*values[:1], *values[-1:]))
    return " to ".join(ends) or UNKNOWN


def _seconds(group: Group) -> Iterator[str]:
    """Yield the least training time on each kind of hardware; times compare only within one.

    Other load on a machine affects a minimum less than a mean.
    """
    by_hardware: dict[str, list[float]] = {}
    for run in group.runs:
        if run.facts.get("wall_clock_seconds"):
            hardware = run.facts.get("hardware") or "unknown hardware"
            by_hardware.setdefault(hardware, []).append(run.facts["wall_clock_seconds"])
    for hardware, seconds in by_hardware.items():
        yield f"{min(seconds):,.0f} on {hardware}"


def _versions(run: Run) -> str:
    """Format the versions of torch and of this code, as far as known."""
    torch, revision = run.facts.get("torch"), run.facts.get("revision")
    short = short_revision(revision) if revision else ""
    return ", ".join(filter(None, (f"torch {torch}" if torch else "", short)))
