"""Statements about models: inequalities with a margin, and their verdicts by runs.

A claim of a paper consists of statements, and a statement of comparisons: of a model with another
or with a number, by one measure on one benchmark. Differences are paired by seed and have 95%
intervals (see ``significance``).

A comparison *holds* if its whole interval is on the claimed side of the margin. A claim holds only
if all of its comparisons do, so no correction is needed: the probability that all hold by chance is
no larger than that of any one. A claim *fails* if any comparison does, and every comparison is a
chance of a false positive; so a comparison fails if the difference is on the other side of the
margin at p < 0.05 after Holm's correction for all comparisons of the claim. For a single comparison
this means that the whole interval is on the other side. All else is *undecided*, as is every
comparison with fewer than three shared seeds. A comparison without any shared seed is *open*.

A seed whose run of either model diverged has no number. The others were selected by not diverging,
so the comparison is undecided, whatever they show.

A statement about models or benchmarks that were not trained at a scale is *not judged*; it does not
affect the claim's verdict, which says how many statements it rests on.

Seeds are added in stages while a verdict is undecided. This is not corrected for.

Times until a level is reached are compared by the logs of their ratios (see ``reaching``). If some
pairs give only a bound, verdicts that the bound does not support are excluded.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from math import exp, isfinite, nan
from typing import Literal, NamedTuple

from scipy.stats import t as student

from lightning_modules.records.reaching import Times, ratios
from lightning_modules.records.significance import (
    FEWEST_PAIRS,
    LEVEL,
    BySeed,
    PairedDifference,
    holm,
    interval_factor,
    paired_difference,
)

Relation = Literal["below", "above", "near"]
Verdict = Literal["holds", "fails", "undecided", "open", "not judged at this scale"]
#: Verdict of a statement without comparisons.
UNJUDGED: Verdict = "not judged at this scale"
#: Verdicts by precedence: a statement or claim has the first that any of its parts has.
BY_WEIGHT: tuple[Verdict, ...] = ("fails", "open", "undecided", "holds")


class Quantity(NamedTuple):
    """A number of a run: a measure, its mean over some steps, or the time until a level."""

    measure: str
    steps: tuple[int, int] | None  #: first and last step of the sequence, from 1; None for all
    #: A level; the quantity is the seconds of training until validation first reaches it.
    reaches: float | None = None

    def __str__(self) -> str:
        """Format as "nll" or "nll, steps 1 to 10", its key in results."""
        if self.reaches is not None:
            return f"seconds until {self.measure} is {self.reaches:g}"
        if self.steps is None:
            return self.measure
        return f"{self.measure}, steps {self.steps[0]} to {self.steps[1]}"


class Statement(NamedTuple):
    """An inequality, claimed for each pair of models on each benchmark."""

    quantity: Quantity
    of: tuple[str, ...]  #: models
    relation: Relation
    to: tuple[str, ...] | float  #: models, or a number
    #: Smallest difference for ``below`` and ``above``, largest for ``near``. For times the log of a
    #: factor: below 1.25 times the other's time is below it by at least -log 1.25.
    margin: float
    data: tuple[str, ...]  #: benchmarks; empty for all of the claim
    says: str  #: the statement in words; may be empty

    def in_words(self) -> str:
        """Return ``says``, else text such as "nll of anp below snp by 0.1"."""
        if self.says:
            return self.says
        others = f"{self.to:g}" if isinstance(self.to, float) else ", ".join(self.to)
        if self.quantity.reaches is not None:
            others = f"{self.factor:g} times that of {others}"
        text = f"{self.quantity} of {', '.join(self.of)} {self.relation} {others}"
        if self.relation == "near":
            return f"{text} within {self.margin:g}"
        plain = not self.margin or self.quantity.reaches is not None
        return text if plain else f"{text} by {self.margin:g}"

    @property
    def factor(self) -> float:
        """For times, the margin as a factor of the other's time."""
        return exp(-self.margin if self.relation == "below" else self.margin)


class Comparison(NamedTuple):
    """One model against another, or against a number, on one benchmark."""

    statement: Statement
    data: str
    of: str
    to: str | float
    difference: PairedDifference  #: between models, or from the number; for times, of logs
    verdict: Verdict = "open"
    may_hold: bool = True  #: False if a pair has no bound on the side that could contradict it
    may_fail: bool = True  #: likewise, on the other side
    apart: int = 0  #: pairs of times excluded, as they were trained on different hardware
    diverged: tuple[int, ...] = ()  #: seeds whose run of either model diverged

    @property
    def excess(self) -> float:
        """Distance of the difference beyond its margin, positive if it contradicts the claim."""
        relation, margin, mean = (
            self.statement.relation,
            self.statement.margin,
            self.difference.mean,
        )
        if relation == "near":
            return abs(mean) - margin
        return margin + mean if relation == "below" else margin - mean

    @property
    def half_width(self) -> float:
        """Half-width of the interval; 0 if all seeds agree, as for numbers of parameters."""
        return self.difference.margin if isfinite(self.difference.margin) else 0.0

    @property
    def p(self) -> float:
        """Probability of such an excess if the claim were true; NaN if it cannot fail.

        It cannot fail with fewer than three pairs, or if a run diverged. The p-value is below 0.05
        exactly if the whole 95% interval contradicts the claim.
        """
        pairs, excess = self.difference.pairs, self.excess
        if pairs < FEWEST_PAIRS or not self.may_fail or self.diverged:
            return nan
        if self.half_width == 0:
            return float(excess <= 0)
        error = self.half_width / interval_factor(pairs)
        return min(1.0, 2 * float(student.sf(excess / error, pairs - 1)))


class Judgement(NamedTuple):
    """A statement with its comparisons."""

    statement: Statement
    comparisons: list[Comparison]

    @property
    def verdict(self) -> Verdict:
        """Verdict of the statement."""
        if not self.comparisons:
            return UNJUDGED
        return heaviest(comparison.verdict for comparison in self.comparisons)


#: Returns a quantity of a model on a benchmark, by seed.
Numbers = Callable[[Quantity, str, str], BySeed]
#: Returns the times until a level is reached, by seed.
Clocks = Callable[[Quantity, str, str], Times]
#: Returns the seeds of a model's runs on a benchmark that ended without a number of the quantity.
Gaps = Callable[[Quantity, str, str], Collection[int]]


def judge(
    statements: Sequence[Statement],
    benchmarks: Sequence[str],
    numbers: Numbers,
    clocks: Clocks = lambda quantity, model, data: {},
    gaps: Gaps = lambda quantity, model, data: (),
) -> list[Judgement]:
    """Judge the statements of one claim on its benchmarks.

    Args:
        statements: statements of the claim.
        benchmarks: those on which its models were trained.
        numbers: called with a quantity, a model and a benchmark.
        clocks: likewise, for quantities that are times.
        gaps: likewise, for seeds whose runs diverged.
    """
    compared = [
        [_with_gaps(one, gaps) for one in _comparisons(each, benchmarks, numbers, clocks)]
        for each in statements
    ]
    corrected = iter(holm([one.p for several in compared for one in several]))
    return [
        Judgement(
            statement, [one._replace(verdict=_verdict(one, next(corrected))) for one in of_it]
        )
        for statement, of_it in zip(statements, compared, strict=True)
    ]


def heaviest(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the verdict of a whole from those of its parts; open if no part was judged."""
    present = set(verdicts)
    return next((verdict for verdict in BY_WEIGHT if verdict in present), "open")


def verdict_in_words(judgements: Sequence[Judgement]) -> str:
    """Return a claim's verdict, such as "holds (2 of 4 statements)" if some are not judged."""
    verdicts = [each.verdict for each in judgements]
    judged = len(verdicts) - verdicts.count(UNJUDGED)
    words = heaviest(verdicts)
    return words if judged == len(verdicts) else f"{words} ({judged} of {len(verdicts)} statements)"


def _comparisons(
    statement: Statement, benchmarks: Sequence[str], numbers: Numbers, clocks: Clocks
) -> Iterator[Comparison]:
    others = statement.to if isinstance(statement.to, tuple) else (statement.to,)
    for data in statement.data or benchmarks:
        for of in statement.of if data in benchmarks else ():
            for to in others:
                if statement.quantity.reaches is None:
                    yield _of_numbers(statement, data, of, to, numbers)
                else:
                    yield _of_times(statement, data, of, str(to), clocks)


def _with_gaps(comparison: Comparison, gaps: Gaps) -> Comparison:
    """Return a comparison with the seeds whose runs diverged."""
    models = [name for name in (comparison.of, comparison.to) if isinstance(name, str)]
    quantity, data = comparison.statement.quantity, comparison.data
    seeds = {seed for model in models for seed in gaps(quantity, model, data)}
    return comparison._replace(diverged=tuple(sorted(seeds)))


def _of_numbers(
    statement: Statement, data: str, of: str, to: str | float, numbers: Numbers
) -> Comparison:
    own = numbers(statement.quantity, of, data)
    if isinstance(to, str):
        reference = numbers(statement.quantity, to, data)
    else:
        reference = dict.fromkeys(own, to)
    return Comparison(statement, data, of, to, paired_difference(own, reference))


def _of_times(statement: Statement, data: str, of: str, to: str, clocks: Clocks) -> Comparison:
    quotients = ratios(*(clocks(statement.quantity, model, data) for model in (of, to)))
    difference = paired_difference(quotients.logs, dict.fromkeys(quotients.logs, 0.0))
    bounded = quotients.has_upper, quotients.has_lower
    may_hold, may_fail = bounded if statement.relation == "below" else bounded[::-1]
    return Comparison(
        statement,
        data,
        of,
        to,
        difference,
        may_hold=may_hold,
        may_fail=may_fail,
        apart=quotients.apart,
    )


def _verdict(comparison: Comparison, corrected: float) -> Verdict:
    pairs = comparison.difference.pairs
    if comparison.diverged:
        return "undecided"
    if pairs == 0:
        return "undecided" if comparison.apart else "open"
    if pairs < FEWEST_PAIRS:
        return "undecided"
    if comparison.excess + comparison.half_width < 0:
        return "holds" if comparison.may_hold else "undecided"
    return "fails" if corrected < LEVEL else "undecided"
