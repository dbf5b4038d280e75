"""Answers in a line: which model is best on a benchmark, how surely, and at what size."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

from lightning_modules.declarations import ARROWS, Measure
from lightning_modules.records.benchmarks import BenchmarkRuns
from lightning_modules.records.groups import TEST
from lightning_modules.records.ranking import Ranking, Row
from lightning_modules.records.significance import FEWEST_PAIRS, shared_seeds
from lightning_modules.records.sizes import UNKNOWN, size_in_words

TITLE = "The answer"
#: What readers have to know of them.
EXPLANATION = (
    "Among models with three seeds or more: the one with the best mean on each benchmark, those "
    "that these seeds do not tell apart from it, and the first one that is behind it at p < 0.05, "
    "corrected for the number of models. Brackets are 95% intervals over seeds. Models need not be "
    "equally large: their parameters are in each benchmark's table."
)
#: Stands before how often each model is among the best.
OF_TALLY = "Best, or tied with the best"
#: Numbers of seeds that are too few for an answer, in words.
COUNTS = ("none", "one", "two")


class Answer(NamedTuple):
    """What the tests of one benchmark say."""

    benchmark: BenchmarkRuns
    measure: Measure
    best: Row
    level: list[Row]  #: not told apart from the best
    behind: list[Row]  #: worse than the best, with a conclusion

    def sizes(self) -> str:
        """Write what the best one reached, with how many seeds, and what it carries."""
        group, measure = self.best.group, self.measure
        name = f"{measure.label}{ARROWS[measure.better]}"
        reached = f"{name} {group.number(measure.name, measure.digits)}"
        state = size_in_words(group.runs, "state_size")
        return f"{reached}, {group.size}" + f", state size {state}" * (state != UNKNOWN)

    def others(self) -> Iterator[str]:
        """Yield how it compares with the others."""
        if self.level:
            yield f"No conclusion against {', '.join(row.group.label for row in self.level)}"
        if self.behind:
            first, digits = self.behind[0], self.measure.digits
            more = f" and {len(self.behind) - 1} more" * (len(self.behind) > 1)
            yield f"Behind: {first.group.label} by {first.in_words(digits)}{more}"


def answers(rankings: Sequence[Ranking]) -> list[Answer]:
    """Answer for each benchmark on which models were compared by three seeds or more."""
    return [found for ranking in rankings if (found := _answer(ranking)) is not None]


def why_none(rankings: Sequence[Ranking]) -> str:
    """Say in a sentence why no benchmark has an answer."""
    most = max((count for ranking in rankings for count in _shared_counts(ranking)), default=None)
    if most is not None and most >= FEWEST_PAIRS:
        return "No answer yet: the best model shares three seeds with too few of the others."
    found = "no benchmark has two" if most is None else f"these have {COUNTS[most]}"
    return f"No answer yet: it needs two tested models with three seeds in common; {found}."


def _shared_counts(ranking: Ranking) -> Iterator[int]:
    """Yield how many seeds two models have in common, for each pair of tested ones."""
    tested = [row.group for row in ranking.rows if row.group.stage == TEST]
    values = [group.by_seed(ranking.headline.name) for group in tested]
    for ours, others in combinations(values, 2):
        yield len(shared_seeds(ours, others))


def tally(found: Sequence[Answer]) -> str:
    """Write on how many benchmarks each model is best or level, the most frequent first."""
    good = Counter(row.group.label for each in found for row in (each.best, *each.level))
    behind = Counter(row.group.label for each in found for row in each.behind)
    parts = (f"{name} on {count} of {count + behind[name]}" for name, count in good.most_common())
    return f"{OF_TALLY}: {', '.join(parts)}."


def _answer(ranking: Ranking) -> Answer | None:
    compared = [
        row
        for row in ranking.rows
        if row.is_reference or (row.difference and row.difference.pairs >= FEWEST_PAIRS)
    ]
    # The reference is not first where one that shares few seeds with the others has a better mean.
    if len(compared) < 2 or not compared[0].is_reference or ranking.headline.better == "neither":
        return None
    best, *others = compared
    return Answer(
        ranking.benchmark,
        ranking.headline,
        best,
        [row for row in others if not row.conclusive],
        [row for row in others if row.conclusive],
    )
