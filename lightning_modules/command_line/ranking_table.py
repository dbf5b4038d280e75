"""Rankings as tables: one for each benchmark, a line for each group of tested runs."""

from collections.abc import Sequence
from typing import NamedTuple

from lightning_modules.declarations import Measure
from lightning_modules.records.benchmarks import by_benchmark
from lightning_modules.records.groups import Group
from lightning_modules.records.ranking import Ranking, Row, ranked
from lightning_modules.records.run import Run
from lightning_modules.table import columns

#: First columns that are words.
TEXTS = 2


class RankingTable(NamedTuple):
    """A ranking's cells."""

    ranking: Ranking
    header: list[str]
    rows: list[list[str]]  #: the best group first

    def in_text(self) -> str:
        """Lay it out for a terminal, below the benchmark's name."""
        benchmark = self.ranking.benchmark
        return "\n".join(
            [f"{benchmark.label}: {benchmark.details}", columns(self.header, self.rows, TEXTS)]
        )


def ranking_tables(runs: Sequence[Run]) -> list[RankingTable]:
    """Rank the tested runs among some on each of their benchmarks."""
    tested = [run for run in runs if run.tested is not None]
    return [_table(ranked(benchmark)) for benchmark in by_benchmark(tested)]


def _table(ranking: Ranking) -> RankingTable:
    groups = [row.group for row in ranking.rows]
    others = [
        measure
        for measure in ranking.benchmark.family.headlines
        if measure != ranking.headline
        and any(group.scalar(measure.name).mean.isfinite() for group in groups)
    ]
    measures = [ranking.headline, *others]
    header = ["model", "core", "seeds", *(measure.header for measure in measures)]
    rows = [
        [*_names(row.group), str(len(row.group.seeds)), *_numbers(row, measures)]
        for row in ranking.rows
    ]
    return RankingTable(ranking, header, rows)


def _names(group: Group) -> list[str]:
    return [group.model, ", ".join([group.core or "-", *group.settings])]


def _numbers(row: Row, measures: Sequence[Measure]) -> list[str]:
    return [row.group.scalar(each.name).in_words(each.digits) for each in measures]
