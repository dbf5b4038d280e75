"""``sweep``: many runs of one experiment, on this machine and without an account."""

import os
import shlex
import sys
from argparse import ArgumentTypeError
from pathlib import Path
from typing import TYPE_CHECKING

from lightning_modules.command_line.closing_message import program
from lightning_modules.command_line.command_parser import CommandParser
from lightning_modules.records.run_folder import shown

if TYPE_CHECKING:
    from lightning_modules.command_line.sweep.execution import Execution

DESCRIPTION = """\
Train and test every run of a sweep, each in a process and a folder of its own:
runs/SWEEP/RUN, where RUN says the values that are varied.

The file is in W&B's format, so that `wandb sweep` and `wandb agent` take it, too.
Methods: grid, random and bayes, Optuna's, whose study is runs/SWEEP/sweep.db.
Repeated after any end, the same command goes on: finished runs are left alone,
others are trained on from their last checkpoint."""
EPILOG = """\
Settings (--trainer.max_steps=60, --data.source=glyphs, ...) hold for all runs."""
#: What a shell gives to a process that was ended by signal n: 128 + n.
OF_SIGNALS = 128
#: Of runs that did not finish.
OTHER_ENDS = ("pruned", "diverged", "interrupted", "failed")


def sweep(args: list[str]) -> None:
    """Train and test every run of a sweep, without an account.

    Args:
        args: a file and options.
    """
    given, settings = sweep_parser().parse_with_settings(args)
    # Optuna is slow to import, and Windows lacks fcntl: other commands do without both.
    from lightning_modules.command_line.sweep.execution import execute

    threads, test = max(1, cores() // given.jobs), not given.no_test
    execution = execute(given.file, settings, given.trials, given.jobs, threads, test)
    conclude(execution, f"{program()} sweep {shlex.join(args)}")


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


def cores() -> int:
    """How many of the machine's this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def conclude(execution: "Execution", again: str) -> None:
    """Say what became of the sweep, and what to do next; leave with a status that says it, too."""
    folder, ended, stop = execution.plan.folder, execution.ended, execution.stop
    others = [f", {ended[how]} {how}" for how in OTHER_ENDS if ended[how]]
    print(f"\n{ended['finished']} of {execution.total} runs finished{''.join(others)}")
    if execution.diverged:
        print(f"Diverged: {', '.join(sorted(execution.diverged))}")
    if stop:
        print(f"Go on: {again}")
        sys.exit(OF_SIGNALS + stop[-1])
    if ended["interrupted"]:
        print(f"Go on with those that were interrupted: {again}")
    if ended["failed"]:
        print(f"Try those that failed again: {again}")
    if ended["finished"]:
        compare = f"{program()} compare {shlex.quote(shown(folder))}"
        print(f"Compare them: {compare} --out {shlex.quote(folder.name)}.html")
    if ended["failed"] or ended["interrupted"]:
        sys.exit(1)
