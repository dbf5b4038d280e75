"""Tables of a search's trials, ranked by their validations."""

from collections.abc import Iterator, Mapping, Sequence
from math import isfinite, nan
from pathlib import Path
from typing import Any, NamedTuple

from lightning_modules.command_line.closing_message import repetition
from lightning_modules.command_line.sweep.execution import Execution, Outcome
from lightning_modules.command_line.sweep.metric_values import metric_values
from lightning_modules.command_line.sweep.run_names import short_keys
from lightning_modules.command_line.sweep.sweep_file import Metric
from lightning_modules.declarations import ARROWS, Measure
from lightning_modules.records.benchmarks import by_benchmark
from lightning_modules.records.reader import read_runs
from lightning_modules.records.run import Run
from lightning_modules.records.significance import interval_in_words
from lightning_modules.table import columns

#: Decimal places of a metric that the family does not declare.
DIGITS = 4


class Trial(NamedTuple):
    """A run of a search."""

    outcome: Outcome
    score: float  #: the metric's last value; NaN if there is none
    run: Run  #: as validated, without its test if it has one


def trial_tables(execution: Execution) -> Iterator[str]:
    """Yield a table per benchmark, the best trial first, then a line of trials without validations.

    Tests are ignored: settings chosen by a test set would bias its results.
    """
    metric = execution.plan.file.metric
    if metric is None:
        return
    trials = {trial.run.folder: trial for trial in _trials(execution, metric)}
    for benchmark in by_benchmark(trial.run for trial in trials.values()):
        ranked = [trials[run.folder] for run in benchmark.runs]
        ranked.sort(key=lambda trial: _rank(trial, 1 if metric.goal == "minimize" else -1))
        yield "\n".join(
            [
                f"{benchmark.label}, by the last {metric.name}:",
                _table(ranked, execution, metric),
                f"Train the best again: {repetition(ranked[0].outcome.run.folder)}",
            ]
        )
    lost = [each for each in execution.outcomes if each.run.folder.path not in trials]
    if lost and trials:
        names = ", ".join(f"{each.run.name} ({each.how})" for each in lost)
        yield f"No validation: {names}"


def _trials(execution: Execution, metric: Metric) -> Iterator[Trial]:
    outcomes = {each.run.folder.path: each for each in execution.outcomes}
    for run in read_runs(path for path in outcomes if path.is_dir()).runs:
        if run.history is not None:
            outcome = outcomes[run.folder]
            values = metric_values(outcome.run.folder.metrics, metric.name)
            yield Trial(outcome, values[-1] if values else nan, run._replace(tested=None))


def _table(trials: Sequence[Trial], execution: Execution, metric: Metric) -> str:
    keys = short_keys(execution.plan.varied) or {"": "run"}
    judged = metric.name.removeprefix("val/")
    family = trials[0].run.family
    others = [
        each
        for each in family.headlines
        if each.name != judged and any(isfinite(trial.run.scalar(each.name)) for trial in trials)
    ]
    digits = {measure.name: measure.digits for measure in family.measures}.get(judged, DIGITS)
    ended = ["ended"] * any(trial.outcome.how != "finished" for trial in trials)
    arrow = ARROWS["lower" if metric.goal == "minimize" else "higher"]
    header = [*keys.values(), metric.name + arrow]
    header += [*(each.header for each in others), *ended]
    rows = [
        [
            *_values(trial.outcome, keys),
            interval_in_words(trial.score, nan, digits),
            *_numbers(trial.run, others),
            *[trial.outcome.how for _ in ended],
        ]
        for trial in trials
    ]
    return columns(header, rows, texts=len(keys))


def _rank(trial: Trial, sign: int) -> tuple[bool, bool, float]:
    """Return a sort key that puts unfinished trials, judged after fewer steps, last."""
    return trial.outcome.how != "finished", not isfinite(trial.score), sign * trial.score


def _values(outcome: Outcome, keys: Mapping[str, str]) -> list[str]:
    values = outcome.run.proposal.values
    return [_in_words(values[key]) if key in values else outcome.run.name for key in keys]


def _in_words(value: Any) -> str:
    if isinstance(value, str) and value.endswith((".yaml", ".yml")):
        return Path(value).stem
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _numbers(run: Run, measures: Sequence[Measure]) -> list[str]:
    return [interval_in_words(run.scalar(each.name), nan, each.digits) for each in measures]
