"""``sweep``: many runs of one experiment or several, on this machine and without an account."""

import os
import shlex
import shutil
import sys
from argparse import ArgumentTypeError
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lightning_modules.command_line.closing_message import program, repetition
from lightning_modules.command_line.command_parser import CommandParser, require_posix
from lightning_modules.command_line.configurations import find
from lightning_modules.command_line.usage_error import UsageError
from lightning_modules.records.kept import distinct
from lightning_modules.records.reader import read_runs
from lightning_modules.records.run_folder import RunFolder, shown

if TYPE_CHECKING:
    from lightning_modules.command_line.sweep.execution import Execution
    from lightning_modules.command_line.sweep.kept_runs import KeptRuns
    from lightning_modules.command_line.sweep.plan import Plan, PlannedRun

DESCRIPTION = """\
Train and test every run of a sweep, each in a process and a folder of its own:
runs/SWEEP/RUN, where RUN names the values that are varied.

The file is in W&B's format, so that `wandb sweep` and `wandb agent` read it, too.
Methods: grid, random and bayes; Optuna's study of them is runs/SWEEP/sweep.db.
Repeat the same command after any interruption, and it goes on: finished runs are
left alone, others are resumed from their last checkpoint.

A table's file (conf/sweeps/table.yaml) lists sweeps, which are run one after the
other, each in its file's order. Runs that are kept in its folder of records are
not trained again, and at the end all of its runs are ranked by their tests.
With --no_test, and for methods random and bayes, runs are ranked by the metric's
last value in validations instead."""
EPILOG = """\
Settings (--trainer.max_steps=60, --data.source=glyphs, ...) apply to all runs."""
#: What a shell gives to a process that was ended by signal n: 128 + n.
OF_SIGNALS = 128
#: Of runs that did not finish here.
OTHER_ENDS = ("kept", "pruned", "diverged", "interrupted", "failed")


def sweep(args: list[str]) -> None:
    """Train and test every run of a sweep, or of a table of sweeps, without an account.

    Args:
        args: a file and options.
    """
    given, settings = sweep_parser().parse_with_settings(args)
    require_posix("sweep")
    if given.launcher and shutil.which(given.launcher[0]) is None:
        raise UsageError(f"--launcher: there is no program {given.launcher[0]} on this machine")
    # Optuna is slow to import: other commands do without it.
    from lightning_modules.command_line.sweep.kept_runs import KeptRuns
    from lightning_modules.command_line.sweep.plan import Plan
    from lightning_modules.command_line.sweep.table_file import read_table

    table = read_table(find(given.file))
    plans = [Plan(file, settings) for file in table.sweeps]
    require_own_folders(plans)
    if len(plans) > 1 and given.trials is not None:
        raise UsageError("--trials: is for a single sweep; a table trains all of its runs")
    kept = None if table.records is None else KeptRuns(table.records)
    if given.dry_run:
        announce(plans, kept)
        return
    test, again = not given.no_test, f"{program()} sweep {shlex.join(args)}"
    executions = carry_out(plans, given.trials, given.jobs, test, kept, again, given.launcher)
    if given.no_test or plans[0].file.method != "grid":
        show_trials(executions)
    else:
        rank(plans, executions)
    if len(plans) > 1:
        print(f"\n{progress(plans, executions)}")
    if status := next(filter(None, map(status_of, executions)), 0):
        sys.exit(status)


def carry_out(
    plans: Sequence["Plan"],
    trials: int | None,
    jobs: int,
    test: bool,
    kept: "KeptRuns | None",
    again: str,
    launcher: Sequence[str] = (),
) -> list["Execution"]:
    """Run sweeps one after the other until all have ended, or somebody wants the end.

    Args:
        plans: of the sweeps.
        trials: most runs of a sweep; default: as many as its file says.
        jobs: runs at a time.
        test: every run after training.
        kept: records of runs that are not trained again.
        again: the command that goes on.
        launcher: begins the command line of each process.

    Returns:
        The executions of the sweeps that were begun.
    """
    from lightning_modules.command_line.sweep.execution import execute

    threads = max(1, cores() // jobs)
    executions = []
    for plan in plans:
        execution = execute(plan, trials, jobs, threads, test, kept, launcher)
        executions.append(execution)
        conclude(execution, again, f"{plan.folder.name}: " if len(plans) > 1 else "")
        if execution.stop:
            break
    return executions


def require_own_folders(plans: Sequence["Plan"]) -> None:
    """Refuse sweeps that would share a folder, and with it a study."""
    folders = [plan.folder for plan in plans]
    if len(set(folders)) < len(folders):
        raise UsageError(
            "experiment: each sweep of a table needs a folder of its own; leave it out"
        )


def announce(plans: Sequence["Plan"], kept: "KeptRuns | None") -> None:
    """Say what would be done with each run, and do nothing.

    Raises:
        UsageError: a sweep's runs are not known beforehand, or its folder has another sweep.
    """
    from lightning_modules.command_line.sweep.study import NAME, SweepStudy

    for plan in plans:
        if plan.file.method != "grid":
            raise UsageError(f"--dry_run: {plan.file.method} chooses its runs as it goes")
        if (plan.folder / NAME).exists():
            SweepStudy(plan.folder, plan.file, plan.settings)  # refuses what cannot go on
        print(f"{shown(plan.folder)}:")
        prospects = {run.name: prospect(run, kept) for run in plan.runs()}
        for name, (what, _) in prospects.items():
            print(f"  {name}: {what}")
        number = Counter(kind for _, kind in prospects.values())
        print(f"  in all: {', '.join(f'{number[kind]} {kind}' for kind in sorted(number))}")


def prospect(run: "PlannedRun", kept: "KeptRuns | None") -> tuple[str, str]:
    """Return what a sweep would do with a run, and how to count such runs."""
    record = None if kept is None else kept.find(run.arguments)
    if record is not None:
        return f"is kept in {shown(record.path)}", "kept"
    if run.folder.results.exists():
        return "finished", "finished"
    return ("goes on", "to go on") if run.folder.states else ("starts", "to start")


def show_trials(executions: Sequence["Execution"]) -> None:
    """Print the trials of searches, the best first by validation."""
    from lightning_modules.command_line.sweep.trial_tables import trial_tables

    for execution in executions:
        for text in trial_tables(execution):
            print(f"\n{text}")


def rank(plans: Sequence["Plan"], executions: Sequence["Execution"]) -> None:
    """Print the ranking on each benchmark of sweeps' own runs, and of records that stand for one.

    Other records were trained otherwise or from other seeds: they compare with nothing here.
    """
    from lightning_modules.command_line.ranking_table import brief, rankings

    runs = read_runs(plan.folder for plan in plans if plan.folder.exists()).runs
    outcomes = [outcome for execution in executions for outcome in execution.outcomes]
    runs += [outcome.record for outcome in outcomes if outcome.record is not None]
    for ranking in rankings(distinct(runs)):
        print(f"\n{brief(ranking).in_text()}")
        best = RunFolder(ranking.rows[0].group.runs[0].folder)
        if best.config.exists():
            new = max((run.seed for run in runs if run.seed is not None), default=-1) + 1
            seed = f"--seed_everything {new}"
            print(f"Train the best again, with another seed: {repetition(best)} {seed}")


def progress(plans: Sequence["Plan"], executions: Sequence["Execution"]) -> str:
    """Say how much of a table is done, and which of its runs have no result."""
    known = {
        outcome.run.folder.path: outcome.how
        for execution in executions
        for outcome in execution.outcomes
    }
    runs = [run.folder for plan in plans for run in plan.runs()]
    # A stop comes before some runs of earlier times are looked at.
    hows = [known.get(f.path, "finished" if f.results.exists() else "left") for f in runs]
    ended = Counter(hows)
    left = len(runs) - sum(ended[how] for how in ("finished", "kept", "pruned", "diverged"))
    said = f"The table: {counts(ended, len(runs))}, {left} left"
    unbegun = len(plans) - len(executions)
    if unbegun:
        said += f" at most: {unbegun} sweep{'s were' if unbegun > 1 else ' was'} not started"
    diverged = [shown(f.path) for f, how in zip(runs, hows, strict=True) if how == "diverged"]
    return "\n".join(
        [said, *([f"Diverged, left out of all means: {', '.join(diverged)}"] if diverged else [])]
    )


def sweep_parser() -> CommandParser:
    """The file, and how it is run."""
    made = CommandParser("sweep", DESCRIPTION)
    made.epilog = EPILOG
    options = "[--jobs NUMBER] [--trials NUMBER] [--launcher COMMAND] [--no_test] [--dry_run]"
    made.usage = f"{made.prog} FILE {options} [--KEY=VALUE ...]"
    made.add_argument("file", type=Path, metavar="FILE", help="such as conf/sweeps/maze_cores.yaml")
    made.add_argument(
        "--jobs", type=positive, default=1, metavar="NUMBER", help="runs at a time (default: 1)"
    )
    made.add_argument(
        "--trials",
        type=positive,
        metavar="NUMBER",
        help="runs in total (default: the file's run_cap)",
    )
    made.add_argument(
        "--launcher",
        type=shlex.split,
        default=(),
        metavar="COMMAND",
        help="starts each process, for example on a cluster's node: 'srun -X --gpus=1'",
    )
    made.add_argument("--no_test", action="store_true", help="only train")
    made.add_argument("--dry_run", action="store_true", help="only list the runs of a grid")
    return made


def positive(number: str) -> int:
    """A number of something."""
    if not number.isdecimal() or int(number) < 1:
        raise ArgumentTypeError(f"must be a whole number above 0, got {number}")
    return int(number)


def cores() -> int:
    """How many of the machine's this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def counts(ended: Counter[str], total: int) -> str:
    """Say how many runs finished, and how others ended."""
    others = [f", {ended[how]} {how}" for how in OTHER_ENDS if ended[how]]
    return f"{ended['finished']} of {total} runs finished{''.join(others)}"


def conclude(execution: "Execution", again: str, whose: str = "") -> None:
    """Say what became of a sweep, and what to do next.

    Args:
        execution: of the sweep.
        again: the command that goes on.
        whose: begins the line; the sweep's name where there are several.
    """
    folder, ended, stop = execution.plan.folder, execution.ended, execution.stop
    print(f"\n{whose}{counts(ended, execution.total)}")
    if execution.diverged:
        print(f"Diverged: {', '.join(execution.diverged)}")
    if stop:
        print(f"Continue: {again}")
        return
    if ended["interrupted"]:
        print(f"Continue the interrupted ones: {again}")
    if ended["failed"]:
        print(f"Try the failed ones again: {again}")
    if ended["finished"]:
        compare = f"{program()} compare {shlex.quote(shown(folder))}"
        print(f"Compare them: {compare} --out {shlex.quote(folder.name)}.html")


def status_of(execution: "Execution") -> int:
    """Return the exit status that says how a sweep ended."""
    if execution.stop:
        return OF_SIGNALS + execution.stop[-1]
    return int(bool(execution.ended["failed"] or execution.ended["interrupted"]))
