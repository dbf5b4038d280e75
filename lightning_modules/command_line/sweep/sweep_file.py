"""A sweep's file, in W&B's format: what is varied, how, and what is run."""

from collections.abc import Mapping
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
#: What cannot change while a sweep goes on.
LASTING = ("command", "method", "metric", "parameters", "early_terminate")
SETTINGS = ("program", *LASTING, "run_cap")
#: Mean something only where W&B keeps the sweep.
OF_WANDB = ("name", "description", "project", "entity")
PROGRAM = "cli.py"
#: What W&B puts the parameters in place of, each ``--key=value``.
ARGUMENTS = "${args}"
#: Words of a command that stand before the program's own.
BEFORE = ("${env}", "${interpreter}", "${program}")


class Metric(NamedTuple):
    """What runs are judged by."""

    name: str  #: a column of ``metrics.csv``
    goal: Goal  #: what is better


class SweepFile(NamedTuple):
    """What a file says."""

    path: Path
    method: str  #: how combinations are chosen
    metric: Metric | None  #: None if runs are not judged
    parameters: Mapping[str, BaseDistribution]  #: by the setting that each stands for
    command: tuple[str, ...]  #: options of ``fit``, with ``${args}`` in the parameters' place
    run_cap: int | None  #: most runs
    early_termination: EarlyTermination | None  #: None if every run is trained to its end
    content: Mapping[str, Any]  #: all of it, as it stands there

    def number_of_runs(self, asked: int | None) -> int:
        """As many as asked for; a grid has an end of its own.

        Raises:
            UsageError: nothing says where to end.
        """
        limit = self.run_cap if asked is None else asked
        if self.method == "grid":
            size = prod(len(examples(parameter)) for parameter in self.parameters.values())
            return size if limit is None else min(size, limit)
        if limit is None:
            raise UsageError(
                f"--trials: is missing; {self.method} has no end of its own, nor has "
                f"{shown(self.path)} a run_cap"
            )
        return limit


def read_sweep(path: Path) -> SweepFile:
    """Read a file.

    Raises:
        UsageError: it is no sweep, or one that cannot be run here.
    """
    content = read_yaml(path)
    try:
        return sweep_of(path, content)
    except UsageError as mistake:
        raise UsageError(f"{shown(path)}: {mistake}") from mistake


def read_yaml(path: Path) -> dict[str, Any]:
    """A file's settings by name."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"there is no file {shown(path)}{nearest_file(str(path))}") from None
    except OSError as failure:
        raise UsageError(f"cannot read {shown(path)}: {failure.strerror}") from failure
    except (yaml.YAMLError, UnicodeDecodeError) as failure:
        line = " ".join(str(failure).split())
        raise UsageError(f"{shown(path)} is no YAML file: {line}") from failure
    if not isinstance(content, dict):
        raise UsageError(f"{shown(path)} is no sweep: it has none of {', '.join(SETTINGS)}")
    return content


def sweep_of(path: Path, content: Mapping[str, Any]) -> SweepFile:
    """Check and read each setting."""
    require_known([name for name in content if name not in OF_WANDB], SETTINGS)
    program = content.get("program")
    if not isinstance(program, str) or Path(program).name != PROGRAM:
        raise UsageError(f"program must be {PROGRAM}, got {program}")
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


def metric_of(content: Any) -> Metric | None:
    """Name and goal; W&B minimises what has no goal."""
    if content is None:
        return None
    if not isinstance(content, Mapping) or not isinstance(content.get("name"), str):
        raise UsageError(f"metric must have a name, such as val/bound, got {content}")
    return Metric(content["name"], one_of("metric.goal", content.get("goal", GOALS[0]), GOALS))


def parameters_of(content: Any, method: str) -> dict[str, BaseDistribution]:
    """Every parameter; a grid's are all choices."""
    if not isinstance(content, Mapping) or not content:
        raise UsageError(f"parameters must name at least one setting, got {content}")
    parameters = {str(k): read_parameter(f"parameters.{k}", v) for k, v in content.items()}
    for key, parameter in parameters.items():
        if method == "grid" and not isinstance(parameter, CategoricalDistribution):
            raise UsageError(f"parameters.{key}: a grid needs values, got min and max")
    return parameters


def command_of(content: Any) -> tuple[str, ...]:
    """Options of ``fit`` in the command."""
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
