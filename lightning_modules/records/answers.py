"""One-line answers: the best model of a benchmark, how certain that is, and its size."""

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
#: How to read the answers.
EXPLANATION = (
    "Among models with three seeds or more: the one with the best mean on each benchmark, those "
    "that these seeds do not tell apart from it, and the first one that is behind it at p < 0.05, "
    "corrected for the number of models. Brackets are 95% intervals over seeds. Models need not be "
    "equally large: their parameters are in each benchmark's table."
)
#: Introduces the tally of how often each model is the best or not significantly worse.
OF_TALLY = "Best, or not separated from the best"
#: Numbers of seeds too small for an answer, in words.
COUNTS = ("none", "one", "two")


class Answer(NamedTuple):
    """Outcome of the tests on one benchmark."""

    benchmark: BenchmarkRuns
    measure: Measure
    best: Row
    level: list[Row]  #: not significantly different from the best
    behind: list[Row]  #: significantly worse than the best

    def sizes(self) -> str:
        """Format the best model's result, its number of seeds and its state size."""
        group, measure = self.best.group, self.measure
        name = f"{measure.label}{ARROWS[measure.better]}"
        reached = f"{name} {group.number(measure)}"
        state = size_in_words(group.runs, "state_size")
        return f"{reached}, {group.size}" + f", state size {state}" * (state != UNKNOWN)

    def others(self) -> Iterator[str]:
        """Yield how the best model compares with the others."""
        if self.level:
            yield f"No conclusion against {', '.join(row.group.label for row in self.level)}"
        if self.behind:
            first, digits = self.behind[0], self.measure.digits
            more = f" and {len(self.behind) - 1} more" * (len(self.behind) > 1)
            yield f"Behind: {first.group.label} by {first.in_words(digits)}{more}"


def answers(rankings: Sequence[Ranking]) -> list[Answer]:
    """List the answers of benchmarks with models that share three seeds or more."""
    return [answer for ranking in rankings if (answer := _answer(ranking)) is not None]


def why_none(rankings: Sequence[Ranking]) -> str:
    """Return a sentence that says why no benchmark has an answer."""
    most = max((count for ranking in rankings for count in _shared_counts(ranking)), default=None)
    if most is not None and most >= FEWEST_PAIRS:
        return "No answer yet: the best model shares three seeds with too few of the others."
    actual = "no benchmark has two" if most is None else f"these have {COUNTS[most]}"
    return f"No answer yet: it needs two tested models with three seeds in common; {actual}."


def _shared_counts(ranking: Ranking) -> Iterator[int]:
    """Yield the number of shared seeds for each pair of tested models."""
    tested = [row.group for row in ranking.rows if row.group.stage == TEST]
    values = [group.by_seed(ranking.headline.name) for group in tested]
    for ours, theirs in combinations(values, 2):
        yield len(shared_seeds(ours, theirs))


def tally(answers: Sequence[Answer]) -> str:
    """Format on how many benchmarks each model is best or tied, the most frequent first."""
    good = Counter(row.group.label for each in answers for row in (each.best, *each.level))
    behind = Counter(row.group.label for each in answers for row in each.behind)
    parts = (f"{name} on {count} of {count + behind[name]}" for name, count in good.most_common())
    return f"{OF_TALLY}: {', '.join(parts)}."


def _answer(ranking: Ranking) -> Answer | None:
    compared = [
        row
        for row in ranking.rows
        if row.is_reference or (row.difference and row.difference.pairs >= FEWEST_PAIRS)
    ]
    # A model that shares few seeds with the others may have a better mean than the reference.
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
