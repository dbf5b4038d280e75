"""Reads sweep files in W&B's format: what is varied, how, and what is run."""

import json
from collections.abc import Iterator, Mapping
from itertools import product
from math import prod
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import yaml
from optuna.distributions import BaseDistribution, CategoricalDistribution

from lightning_modules.command_line.sweep.checks import one_of, require_known, whole_number
from lightning_modules.command_line.sweep.early_termination import (
    EarlyTermination,
    read_early_termination,
)
from lightning_modules.command_line.sweep.parameter import examples, read_parameter
from lightning_modules.command_line.usage_error import UsageError, nearest_file
from lightning_modules.records.run_folder import shown

Goal = Literal["minimize", "maximize"]
METHODS = ("grid", "random", "bayes")
GOALS: tuple[Goal, ...] = get_args(Goal)
#: Settings that must not change during a sweep.
LASTING = ("command", "method", "metric", "parameters", "early_terminate")
SETTINGS = ("program", *LASTING, "run_cap")
#: Settings with a meaning only for sweeps on W&B's server.
OF_WANDB = ("name", "description", "project", "entity", "apiVersion", "kind", "controller")
#: W&B's settings that are not supported here, and why.
NOT_HERE = {
    "job": "W&B's Launch runs jobs, a sweep here runs its program",
    "image_uri": "W&B's Launch runs images, a sweep here runs its program",
    "scheduler": "a sweep here is its own scheduler",
    "metrics": "runs are judged by one metric here",
    "metric.target": "a sweep here continues to its last run; Ctrl-C ends it",
    "metric.impute": "a run without a score counts as the worst here",
    "metric.impute_while_running": "unfinished runs count as bad ones here",
    "early_terminate.strict": "runs are judged by the best 1 / eta of those that got as far here",
}
#: Names of the program: in a checkout, and as installed.
PROGRAMS = ("cli.py", "gtmm")
#: Placeholder for the parameters, each ``--key=value``.
ARGUMENTS = "${args}"
#: Words of a command before the program's own arguments.
BEFORE = ("${env}", "${interpreter}", "${program}")


class Metric(NamedTuple):
    """The metric that runs are judged by."""

    name: str  #: a column of ``metrics.csv``
    goal: Goal  #: the better direction


class SweepFile(NamedTuple):
    """The content of a sweep file."""

    path: Path
    method: str  #: how combinations are chosen
    metric: Metric | None  #: None if runs are not judged
    parameters: Mapping[str, BaseDistribution]  #: by setting
    command: tuple[str, ...]  #: options of ``fit``, with ``${args}`` for the parameters
    run_cap: int | None  #: maximum number of runs
    early_termination: EarlyTermination | None  #: None if every run is trained to its end
    content: Mapping[str, Any]  #: the unparsed content
    in_order: bool = False  #: whether a grid runs in the file's order, as in a table

    def combinations(self) -> Iterator[dict[str, Any]]:
        """Yield the values of every run of a grid; the last parameter varies fastest."""
        choices = map(examples, self.parameters.values())
        return (dict(zip(self.parameters, values, strict=True)) for values in product(*choices))

    def words(self, values: Mapping[str, Any]) -> list[str]:
        """Return the options of ``fit`` for a run with these values."""
        words: list[str] = []
        for word in self.command:
            words += [argument(*item) for item in values.items()] if word == ARGUMENTS else [word]
        return words

    def number_of_runs(self, requested: int | None) -> int:
        """Return the number of runs: as requested, but at most the size of a grid.

        Raises:
            UsageError: no limit is set, and the method has none of its own.
        """
        limit = self.run_cap if requested is None else requested
        if self.method == "grid":
            size = prod(len(examples(parameter)) for parameter in self.parameters.values())
            return size if limit is None else min(size, limit)
        if limit is None:
            raise UsageError(
                f"--trials: is missing; {self.method} has no end of its own, and "
                f"{shown(self.path)} has no run_cap"
            )
        return limit


def argument(key: str, value: Any) -> str:
    """Format a setting for the command line."""
    return f"--{key}={value if isinstance(value, str) else json.dumps(value)}"


def read_sweep(path: Path) -> SweepFile:
    """Read a sweep file.

    Raises:
        UsageError: it is not a sweep, or it cannot be run here.
    """
    content = read_yaml(path)
    try:
        return sweep_of(path, content)
    except UsageError as mistake:
        raise UsageError(f"{shown(path)}: {mistake}") from mistake


def read_yaml(path: Path) -> dict[str, Any]:
    """Return a file's settings by name."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"there is no file {shown(path)}{nearest_file(str(path))}") from None
    except OSError as failure:
        raise UsageError(f"cannot read {shown(path)}: {failure.strerror}") from failure
    except (yaml.YAMLError, UnicodeDecodeError) as failure:
        line = " ".join(str(failure).split())
        raise UsageError(f"{shown(path)} is not a YAML file: {line}") from failure
    if not isinstance(content, dict):
        raise UsageError(f"{shown(path)} is not a sweep: it has none of {', '.join(SETTINGS)}")
    return content


def sweep_of(path: Path, content: Mapping[str, Any]) -> SweepFile:
    """Check and parse each setting."""
    reject_unsupported(content)
    require_known([name for name in content if name not in OF_WANDB], SETTINGS)
    program = content.get("program")
    if not isinstance(program, str) or Path(program).name not in PROGRAMS:
        raise UsageError(f"program must be {' or '.join(PROGRAMS)}, got {program}")
    method = one_of("method", content.get("method"), METHODS)
    metric = metric_of(content.get("metric"))
    if method == "bayes" and metric is None:
        raise UsageError("metric: is missing; bayes needs its name and goal")
    early_termination = read_early_termination(content.get("early_terminate"))
    if early_termination is not None and metric is None:
        raise UsageError("metric: is missing; early_terminate needs its name and goal")
    cap = content.get("run_cap")
    return SweepFile(
        path,
        method,
        metric,
        parameters=parameters_of(content.get("parameters"), method),
        command=command_of(content.get("command")),
        run_cap=None if cap is None else whole_number("run_cap", cap),
        early_termination=early_termination,
        content=content,
    )


def reject_unsupported(content: Mapping[str, Any]) -> None:
    """Reject W&B's settings that are not supported here."""
    for key, reason in NOT_HERE.items():
        outer, _, inner = key.rpartition(".")
        inside = content.get(outer) if outer else content
        if isinstance(inside, Mapping) and inner in inside:
            raise UsageError(f"{key}: is not supported here: {reason}; leave it out")


def metric_of(content: Any) -> Metric | None:
    """Return name and goal; as in W&B, the default goal is to minimise."""
    if content is None:
        return None
    if not isinstance(content, Mapping) or not isinstance(content.get("name"), str):
        raise UsageError(f"metric must have a name, such as val/bound, got {content}")
    require_known(content, ("name", "goal"), "metric.")
    return Metric(content["name"], one_of("metric.goal", content.get("goal", GOALS[0]), GOALS))


def parameters_of(content: Any, method: str) -> dict[str, BaseDistribution]:
    """Return every parameter; those of a grid must all be choices."""
    if not isinstance(content, Mapping) or not content:
        raise UsageError(f"parameters must name at least one setting, got {content}")
    flat = flattened(content)
    parameters = {key: read_parameter(f"parameters.{key}", value) for key, value in flat.items()}
    for key, parameter in parameters.items():
        if "probabilities" in flat[key] and method != "random":
            raise UsageError(f"parameters.{key}.probabilities: only method random uses them")
        if method == "grid" and not isinstance(parameter, CategoricalDistribution):
            kind = flat[key].get("distribution", "min and max")
            raise UsageError(f"parameters.{key}: a grid needs values, got {kind}")
    return parameters


def flattened(content: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flatten nested parameters into command-line keys such as ``model.memory``."""
    flat: dict[str, Any] = {}
    for name, value in content.items():
        key, new = f"{prefix}{name}", {f"{prefix}{name}": value}
        if isinstance(value, Mapping) and isinstance(value.get("parameters"), Mapping):
            if others := [str(other) for other in value if other != "parameters"]:
                raise UsageError(f"parameters.{key} has parameters and also {others[0]}")
            new = flattened(value["parameters"], f"{key}.")
        for twice in flat.keys() & new.keys():
            raise UsageError(f"parameters.{twice} is given twice")
        flat |= new
    return flat


def command_of(content: Any) -> tuple[str, ...]:
    """Return the ``fit`` options of the command; by default, only the parameters."""
    if content is None:
        return (ARGUMENTS,)
    if not isinstance(content, list):
        raise UsageError(f"command must be a list of words, got {content}")
    words = [str(word) for word in content if str(word) not in BEFORE]
    for word in words:
        if word.startswith("${") and word != ARGUMENTS:
            raise UsageError(f"command: cannot fill in {word}; valid: {ARGUMENTS}")
    if words[:1] != ["fit"]:
        raise UsageError(f"command must run fit, got {' '.join(words)}")
    if words.count(ARGUMENTS) != 1:
        raise UsageError(f"command must have {ARGUMENTS} once, got {' '.join(words)}")
    return tuple(words[1:])
