"""``sweep``: many runs of one experiment, on this machine and without an account."""

import os
import shlex
import sys
from argparse import ArgumentTypeError
from collections.abc import Mapping
from math import prod
from pathlib import Path

from lightning_modules.command_line.closing_message import program
from lightning_modules.command_line.command_parser import CommandParser
from lightning_modules.command_line.sweep.bayesian_search import BayesianSearch, require_optuna
from lightning_modules.command_line.sweep.execution import Execution
from lightning_modules.command_line.sweep.lock import only_sweep_in
from lightning_modules.command_line.sweep.parameter import Parameter
from lightning_modules.command_line.sweep.plan import Plan
from lightning_modules.command_line.sweep.state_file import OTHER_FOLDER, StateFile
from lightning_modules.command_line.sweep.stop_request import StopRequest, stop_requests
from lightning_modules.command_line.sweep.sweep_file import SweepFile, read_sweep
from lightning_modules.command_line.sweep.trials import FixedTrials, Search, Trial, draws, grid
from lightning_modules.command_line.usage_error import UsageError
from lightning_modules.records.run_folder import shown

DESCRIPTION = """\
Train and test every run of a sweep, each in a process and a folder of its own:
runs/SWEEP/RUN, where RUN says the values that are varied.

The file is in W&B's format, so that `wandb sweep` and `wandb agent` take it, too.
Methods: grid, random and bayes (which needs the extra `sweep`). Repeated after
any end, the same command goes on: finished runs are left alone, others are
trained on from their last checkpoint."""
EPILOG = """\
Settings (--trainer.max_steps=60, --data.source=glyphs, ...) hold for all runs."""
#: What a shell gives to a process that was ended by signal n: 128 + n.
OF_SIGNALS = 128


def sweep(args: list[str]) -> None:
    """Train and test every run of a sweep, without an account.

    Args:
        args: a file and options.
    """
    given, settings = sweep_parser().parse_with_settings(args)
    file = read_sweep(given.file)
    total = number_of_trials(file, given.trials)
    if file.method == "bayes":
        require_optuna()
    plan = Plan(file, settings)
    again = f"{program()} sweep {shlex.join(args)}"
    state = StateFile(plan.folder)
    with only_sweep_in(plan.folder), stop_requests() as stop:
        execution = Execution(
            plan,
            search(file, total, state),
            state,
            total,
            jobs=given.jobs,
            threads=max(1, cores() // given.jobs),
            test=not given.no_test,
            stop=stop,
        )
        execution.run()
    conclude(execution, stop, again)


def sweep_parser() -> CommandParser:
    """The file, and how it is run."""
    made = CommandParser("sweep", DESCRIPTION)
    made.epilog = EPILOG
    made.usage = f"{made.prog} FILE [--jobs NUMBER] [--trials NUMBER] [--no_test] [--KEY=VALUE ...]"
    made.add_argument("file", type=Path, metavar="FILE", help="such as conf/sweeps/maze_cores.yaml")
    made.add_argument(
        "--jobs", type=positive, default=1, metavar="NUMBER", help="runs at a time (default: 1)"
    )
    made.add_argument(
        "--trials",
        type=positive,
        metavar="NUMBER",
        help="runs in all (default: the file's run_cap)",
    )
    made.add_argument("--no_test", action="store_true", help="only train")
    return made


def positive(number: str) -> int:
    """A number of something."""
    if not number.isdecimal() or int(number) < 1:
        raise ArgumentTypeError(f"must be a whole number above 0, got {number}")
    return int(number)


def number_of_trials(file: SweepFile, asked: int | None) -> int:
    """As many as asked for; a grid has an end of its own.

    Raises:
        UsageError: nothing says where to end.
    """
    limit = file.run_cap if asked is None else asked
    if file.method == "grid":
        size = prod(len(parameter.examples) for parameter in file.parameters.values())
        return size if limit is None else min(size, limit)
    if limit is None:
        raise UsageError(
            f"--trials: is missing; {file.method} has no end of its own, nor has "
            f"{shown(file.path)} a run_cap"
        )
    return limit


def search(file: SweepFile, total: int, state: StateFile) -> Search:
    """Choose combinations as the file says."""
    if file.method == "grid":
        return FixedTrials(grid(file.parameters), total)
    if file.method == "random":
        return FixedTrials(draws(file.parameters), total)
    assert file.metric is not None
    known = known_trials(file.parameters, state)
    return BayesianSearch(file.parameters, file.metric.goal, total, known)


def known_trials(parameters: Mapping[str, Parameter], state: StateFile) -> list[Trial]:
    """Trials of before.

    Raises:
        UsageError: they are of other parameters.
    """
    trials = [record.trial for record in state.records.values()]
    for trial in trials:
        same = trial.values.keys() == parameters.keys()
        if not same or any(value not in parameters[k] for k, value in trial.values.items()):
            raise UsageError(
                f"parameters: {shown(state.path)} has runs with other values; {OTHER_FOLDER}"
            )
    return trials


def cores() -> int:
    """How many of the machine's this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def conclude(execution: Execution, stop: StopRequest, again: str) -> None:
    """Say what became of the sweep, and what to do next; leave with a status that says it, too."""
    folder, ended = execution.plan.folder, execution.ended
    failed = f", {ended['failed']} failed" if ended["failed"] else ""
    print(f"\n{ended['finished']} of {execution.total} runs finished{failed}")
    if stop:
        print(f"Go on: {again}")
        sys.exit(OF_SIGNALS + stop.signal)
    if ended["failed"]:
        print(f"Try those that failed again: {again}")
    if ended["finished"]:
        compare = f"{program()} compare {shlex.quote(shown(folder))}"
        print(f"Compare them: {compare} --out {shlex.quote(folder.name)}.html")
    if ended["failed"]:
        sys.exit(1)
