"""``sweep``: many runs of one or more experiments, on this machine and without an account."""

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
Train and test every run of a sweep, each in its own process and folder,
runs/SWEEP/RUN, where RUN names the varied values.

The file is in W&B's format, so `wandb sweep` and `wandb agent` can read it too.
Methods: grid, random and bayes. Optuna's study is runs/SWEEP/sweep.db.
After an interruption, repeat the same command to continue: finished runs are
skipped, others resume from their last checkpoint.

A table file (conf/sweeps/table.yaml) lists sweeps, which run one after the other,
each in its file's order. Runs that are kept in its folder of records are not
trained again, and at the end all of its runs are ranked by their tests.
With --no_test, and with methods random and bayes, runs are ranked by the metric's
last validation value instead."""
EPILOG = """\
Settings (--trainer.max_steps=60, --data.source=glyphs, ...) apply to all runs.
--experiment NAME puts the runs of a sweep into runs/NAME (default: the name of FILE)."""
#: A shell's exit status for a process ended by signal n is 128 + n.
OF_SIGNALS = 128
#: Outcomes of runs that did not finish here.
OTHER_ENDS = ("kept", "pruned", "diverged", "interrupted", "failed")


def sweep(args: list[str]) -> None:
    """Train and test every run of a sweep, or of a table of sweeps, without an account.

    Args:
        args: a file and options.
    """
    options, settings = sweep_parser().parse_with_settings(args)
    require_posix("sweep")
    if options.launcher and shutil.which(options.launcher[0]) is None:
        raise UsageError(f"--launcher: there is no program {options.launcher[0]} on this machine")
    # Imported here because Optuna is slow to import.
    from lightning_modules.command_line.sweep.kept_runs import KeptRuns
    from lightning_modules.command_line.sweep.plan import Plan
    from lightning_modules.command_line.sweep.table_file import read_table

    table = read_table(find(options.file))
    plans = [Plan(file, settings) for file in table.sweeps]
    require_own_folders(plans)
    if len(plans) > 1 and options.trials is not None:
        raise UsageError("--trials: applies to a single sweep; a table trains all of its runs")
    kept = None if table.records is None else KeptRuns(table.records)
    if options.dry_run:
        announce(plans, kept)
        return
    test, again = not options.no_test, f"{program()} sweep {shlex.join(args)}"
    executions = carry_out(plans, options.trials, options.jobs, test, kept, again, options.launcher)
    if options.no_test or plans[0].file.method != "grid":
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
    """Run sweeps one after the other until all have ended or a stop is requested.

    Args:
        plans: the sweeps' plans.
        trials: maximum number of runs per sweep; default: the file's.
        jobs: number of parallel runs.
        test: whether to test each run after training.
        kept: records of runs that are not trained again.
        again: the command that continues the sweeps.
        launcher: prefix of each process's command line.

    Returns:
        The executions of the sweeps that were started.
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
    """Reject sweeps that would share a folder, and with it a study."""
    folders = [plan.folder for plan in plans]
    if len(set(folders)) < len(folders):
        raise UsageError("experiment: each sweep of a table needs its own folder; leave it out")


def announce(plans: Sequence["Plan"], kept: "KeptRuns | None") -> None:
    """Print what would be done with each run.

    Raises:
        UsageError: a sweep's runs are not known beforehand, or its folder belongs to another sweep.
    """
    from lightning_modules.command_line.sweep.study import NAME, SweepStudy

    for plan in plans:
        if plan.file.method != "grid":
            raise UsageError(f"--dry_run: {plan.file.method} chooses its runs as it goes")
        if (plan.folder / NAME).exists():
            SweepStudy(plan.folder, plan.file, plan.settings)  # raises if the sweep cannot continue
        print(f"{shown(plan.folder)}:")
        prospects = {run.name: prospect(run, kept) for run in plan.runs()}
        for name, (what, _) in prospects.items():
            print(f"  {name}: {what}")
        number = Counter(kind for _, kind in prospects.values())
        print(f"  in all: {', '.join(f'{number[kind]} {kind}' for kind in sorted(number))}")


def prospect(run: "PlannedRun", kept: "KeptRuns | None") -> tuple[str, str]:
    """Return what a sweep would do with a run, and the run's category."""
    record = None if kept is None else kept.find(run.arguments)
    if record is not None:
        return f"is kept in {shown(record.path)}", "kept"
    if run.folder.results.exists():
        return "finished", "finished"
    return ("continues", "to continue") if run.folder.states else ("starts", "to start")


def show_trials(executions: Sequence["Execution"]) -> None:
    """Print the trials of searches, ranked by validation."""
    from lightning_modules.command_line.sweep.trial_tables import trial_tables

    for execution in executions:
        for text in trial_tables(execution):
            print(f"\n{text}")


def rank(plans: Sequence["Plan"], executions: Sequence["Execution"]) -> None:
    """Print a ranking per benchmark of the sweeps' runs and the records that replace them.

    Other records differ in settings or seeds, so they are not comparable.
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
            print(f"Train the best again with another seed: {repetition(best)} {seed}")


def progress(plans: Sequence["Plan"], executions: Sequence["Execution"]) -> str:
    """Summarise a table's progress, and list its diverged runs."""
    results = {
        outcome.run.folder.path: outcome.how
        for execution in executions
        for outcome in execution.outcomes
    }
    runs = [run.folder for plan in plans for run in plan.runs()]
    # After a stop, some runs that finished earlier have not been visited.
    hows = [results.get(f.path, "finished" if f.results.exists() else "left") for f in runs]
    ended = Counter(hows)
    left = len(runs) - sum(ended[how] for how in ("finished", "kept", "pruned", "diverged"))
    summary = f"The table: {counts(ended, len(runs))}, {left} left"
    not_started = len(plans) - len(executions)
    if not_started:
        summary += (
            f" at most: {not_started} sweep{'s were' if not_started > 1 else ' was'} not started"
        )
    diverged = [shown(f.path) for f, how in zip(runs, hows, strict=True) if how == "diverged"]
    return "\n".join(
        [
            summary,
            *([f"Diverged, excluded from all means: {', '.join(diverged)}"] if diverged else []),
        ]
    )


def sweep_parser() -> CommandParser:
    """Return the parser of the command line."""
    command = CommandParser("sweep", DESCRIPTION)
    command.epilog = EPILOG
    usage = "[--jobs NUMBER] [--trials NUMBER] [--launcher COMMAND] [--no_test] [--dry_run]"
    command.usage = f"{command.prog} FILE {usage} [--experiment NAME] [--KEY=VALUE ...]"
    command.add_argument(
        "file", type=Path, metavar="FILE", help="such as conf/sweeps/maze_cores.yaml"
    )
    command.add_argument(
        "--jobs", type=positive, default=1, metavar="NUMBER", help="parallel runs (default: 1)"
    )
    command.add_argument(
        "--trials",
        type=positive,
        metavar="NUMBER",
        help="runs in total (default: the file's run_cap)",
    )
    command.add_argument(
        "--launcher",
        type=shlex.split,
        default=(),
        metavar="COMMAND",
        help="prefix that starts each process, such as on a cluster node: 'srun -X --gpus=1'",
    )
    command.add_argument("--no_test", action="store_true", help="only train")
    command.add_argument("--dry_run", action="store_true", help="only list the runs of a grid")
    return command


def positive(number: str) -> int:
    """Parse a positive whole number."""
    if not number.isdecimal() or int(number) < 1:
        raise ArgumentTypeError(f"must be a whole number above 0, got {number}")
    return int(number)


def cores() -> int:
    """Return the number of CPU cores available to this process."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def counts(ended: Counter[str], total: int) -> str:
    """Count the runs that finished, and the other outcomes."""
    others = [f", {ended[how]} {how}" for how in OTHER_ENDS if ended[how]]
    return f"{ended['finished']} of {total} runs finished{''.join(others)}"


def conclude(execution: "Execution", again: str, prefix: str = "") -> None:
    """Print how a sweep ended, and what to do next.

    Args:
        execution: the sweep's execution.
        again: the command that continues the sweep.
        prefix: start of the line, naming the sweep if there are several.
    """
    folder, ended, stop = execution.plan.folder, execution.ended, execution.stop
    print(f"\n{prefix}{counts(ended, execution.total)}")
    if execution.diverged:
        print(f"Diverged: {', '.join(execution.diverged)}")
    if stop:
        print(f"Continue: {again}")
        return
    if ended["interrupted"]:
        print(f"Continue the interrupted ones: {again}")
    if ended["failed"]:
        print(f"Retry the failed ones: {again}")
    if ended["finished"]:
        compare = f"{program()} compare {shlex.quote(shown(folder))}"
        print(f"Compare them: {compare} --out {shlex.quote(folder.name)}.html")


def status_of(execution: "Execution") -> int:
    """Return the exit status for how a sweep ended."""
    if execution.stop:
        return OF_SIGNALS + execution.stop[-1]
    return int(bool(execution.ended["failed"] or execution.ended["interrupted"]))
