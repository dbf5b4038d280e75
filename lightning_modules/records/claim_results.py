"""``results.json`` of a claim: the numbers of its runs that its statements need."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import isfinite, nan
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from lightning_modules.records.kept import rounded
from lightning_modules.records.problems import Unreadable
from lightning_modules.records.reaching import Known, Time, Times, time_to
from lightning_modules.records.reading import read_json
from lightning_modules.records.run import Run
from lightning_modules.records.run_folder import write_json
from lightning_modules.records.significance import BySeed
from lightning_modules.records.statements import Judgement, Quantity, Statement, heaviest

#: Quantities that are not measures of a family.
SIZES = ("parameters",)


class Score(NamedTuple):
    """Values of a claim's quantities in one tested run."""

    data: str  #: benchmark
    model: str
    seed: int
    numbers: Mapping[str, float | None]  #: by the quantity's name; None if not finite
    test_set: str
    training_steps: int
    seconds: float | None  #: of training
    hardware: str | None
    #: Hash of the settings that affect the numbers; empty, and thus of no run, in older files.
    settings: str = ""
    #: By a quantity's name: whether its seconds are a bound; absent if they are exact.
    bounds: Mapping[str, Known] = MappingProxyType({})


class Diverged(NamedTuple):
    """A run that ended without a result, as its training diverged."""

    data: str  #: benchmark
    model: str
    seed: int
    settings: str  #: as in ``Score``


class ClaimResults(NamedTuple):
    """Everything that is stored of a claim's runs."""

    seeds: int  #: number requested
    scores: list[Score]
    diverged: list[Diverged]


def score_of(
    run: Run, data: str, model: str, statements: Iterable[Statement], settings: str
) -> Score:
    """Return the quantities of some statements in a run.

    Args:
        run: a tested run.
        data: name of its benchmark in the claim.
        model: name of its model in the claim.
        statements: statements of the claim.
        settings: hash of its settings.
    """
    assert run.tested is not None and run.seed is not None
    quantities = dict.fromkeys(statement.quantity for statement in statements)
    times = {str(q): time for q in quantities if (time := time_of(run, q)) is not None}
    return Score(
        data,
        model,
        run.seed,
        rounded({str(quantity): number_of(run, quantity) for quantity in quantities}),
        str(run.tested.benchmark),
        run.training_steps,
        rounded(run.facts.get("wall_clock_seconds")),
        run.facts.get("hardware"),
        settings,
        {name: time.known for name, time in times.items() if time.known != "exactly"},
    )


def number_of(run: Run, quantity: Quantity) -> float:
    """Return a quantity of a run; for times, possibly a bound; NaN if unknown."""
    if quantity.reaches is not None:
        time = time_of(run, quantity)
        return nan if time is None else time.seconds
    if quantity.measure in SIZES:
        return float(run.facts.get(quantity.measure, nan))
    if quantity.steps is None:
        return run.scalar(quantity.measure)
    curve, (first, last) = run.curve(quantity.measure), quantity.steps
    if curve is None or last > len(curve):
        return nan
    return curve[first - 1 : last].mean().item()


def time_of(run: Run, quantity: Quantity) -> Time | None:
    """Return when a run reached a level; None if it has no validations of the measure."""
    level, family = quantity.reaches, run.family
    declared = quantity.measure in (measure.name for measure in family.measures)
    if level is None or run.history is None or not declared:
        return None
    hardware = run.facts.get("hardware")
    return time_to(run.history, family[quantity.measure], level, hardware)


def times_by_seed(scores: Iterable[Score], quantity: Quantity, model: str, data: str) -> Times:
    """Return the times until a level is reached by seed; seeds without one are omitted."""
    own = [score for score in scores if (score.model, score.data) == (model, data)]
    name = str(quantity)
    return {
        score.seed: Time(seconds, score.bounds.get(name, "exactly"), score.hardware)
        for score in own
        if (seconds := score.numbers.get(name)) is not None
    }


def by_seed(scores: Iterable[Score], quantity: Quantity, model: str, data: str) -> BySeed:
    """Return a quantity by seed; seeds without a value are omitted."""
    own = (score for score in scores if (score.model, score.data) == (model, data))
    numbers = ((score.seed, score.numbers.get(str(quantity))) for score in own)
    return {seed: number for seed, number in numbers if number is not None}


def seeds_without(results: ClaimResults, quantity: Quantity, model: str, data: str) -> set[int]:
    """Return the seeds whose runs diverged, or whose results have no finite number of a quantity.

    Results from before a statement was added know nothing of its quantity, and are omitted.
    """
    of_runs = {each.seed for each in results.diverged if (each.model, each.data) == (model, data)}
    own = (each for each in results.scores if (each.model, each.data) == (model, data))
    return of_runs.union(each.seed for each in own if each.numbers.get(str(quantity), 0) is None)


def matching(stored: ClaimResults, settings: Mapping[tuple[str, str], str]) -> ClaimResults:
    """Select the stored results of runs with the given settings.

    Args:
        stored: results from before.
        settings: hash of the settings that each model on each benchmark has now.
    """

    def matches(each: Score | Diverged) -> bool:
        return settings.get((each.data, each.model)) == each.settings

    scores, diverged = filter(matches, stored.scores), filter(matches, stored.diverged)
    return ClaimResults(stored.seeds, [*scores], [*diverged])


def joined(stored: ClaimResults, current: ClaimResults) -> ClaimResults:
    """Merge stored results with those of current runs, which take precedence."""
    runs = {each[:3] for each in (*current.scores, *current.diverged)}
    return ClaimResults(
        current.seeds,
        [*current.scores, *(each for each in stored.scores if each[:3] not in runs)],
        [*current.diverged, *(each for each in stored.diverged if each[:3] not in runs)],
    )


def used_test_sets(scores: Iterable[Score]) -> dict[str, list[str]]:
    """Return the test sets of each benchmark; scores on several are not comparable."""
    by_benchmark: dict[str, dict[str, None]] = {}
    for score in scores:
        by_benchmark.setdefault(score.data, {})[score.test_set] = None
    return {data: [*names] for data, names in by_benchmark.items()}


def write_claim_results(
    path: Path, scale: str, results: ClaimResults, judgements: Sequence[Judgement]
) -> None:
    """Write a claim's verdict, with the numbers of its statements and of its runs."""
    content = {
        "scale": scale,
        "verdict": heaviest(each.verdict for each in judgements),
        "seeds": results.seeds,
        "statements": [_judged(each) for each in judgements],
        "runs": [_written(score) for score in results.scores],
        "diverged": [each._asdict() for each in results.diverged],
    }
    write_json(path, rounded(content))


def read_claim_results(path: Path) -> ClaimResults:
    """Read the file that ``write_claim_results`` wrote.

    Raises:
        Unreadable: the file is damaged.
    """
    content = read_json(path)
    try:
        scores = [_read(run) for run in content["runs"]]
        # Older files have no list of diverged runs.
        diverged = [Diverged(**run) for run in content.get("diverged", [])]
        return ClaimResults(int(content["seeds"]), scores, diverged)
    except (KeyError, TypeError, ValueError) as failure:
        raise Unreadable("does not have the form that `reproduce` writes") from failure


def _written(score: Score) -> dict[str, Any]:
    """Return a score as a mapping, without ``bounds`` if all numbers are exact."""
    content = score._asdict()
    return {name: value for name, value in content.items() if name != "bounds" or value}


def _read(content: Mapping[str, Any]) -> Score:
    return Score(**{name: content[name] for name in Score._fields if name in content})


def _judged(judgement: Judgement) -> dict[str, Any]:
    return {
        "says": judgement.statement.in_words(),
        "verdict": judgement.verdict,
        "comparisons": list(_compared(judgement)),
    }


def _compared(judgement: Judgement) -> Iterator[dict[str, Any]]:
    for comparison in judgement.comparisons:
        difference = comparison.difference
        yield {
            "data": comparison.data,
            "of": comparison.of,
            "to": comparison.to,
            "seeds": difference.pairs,
            "diverged": list(comparison.diverged),
            "difference": difference.mean if isfinite(difference.mean) else None,
            "half_interval": difference.margin if isfinite(difference.margin) else None,
            "verdict": comparison.verdict,
        }
