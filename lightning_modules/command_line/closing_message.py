"""Messages at the end of a run: where its files are, and what to try next."""

import os
import shlex
import shutil
import sys
from pathlib import Path

from lightning_modules.installation import IN_CHECKOUT, PROGRAM
from lightning_modules.records.run_folder import RunFolder, shown

#: For training that diverged before it saved a state.
FROM_THE_START = "  no state had been saved; try a lower --model.learning_rate, or another seed"
#: The command that an installation provides.
COMMAND = "gtmm"


def after_fit(folder: RunFolder, steps: int, other_core: str | None) -> str:
    """List the run's files, and commands to continue from them.

    Args:
        folder: of the run.
        steps: training steps so far.
        other_core: a memory core to compare with; None for models with a fixed core.
    """
    lines = [files(folder), "Try next:"]
    last, best = folder.last_checkpoint, folder.best_checkpoint
    if last.exists():
        state = best if best.exists() else last
        lines += [
            f"  measure it on the test set:  {command('test', state)}",
            f"  generate from it:            {command('predict', state)}",
            f"  train longer:                {command('fit', last)}"
            f" --trainer.max_steps={2 * steps}",
        ]
    if other_core is not None:
        lines.append(
            f"  change the memory:           {repetition(folder)} --model.memory={other_core}"
        )
    lines.append(f"  compare it with other runs:  {comparison(folder)}")
    return "\n".join(lines)


def after_test(folder: RunFolder) -> str:
    """List the run's files, and the command that compares it."""
    return f"{files(folder)}\nCompare it with other runs: {comparison(folder)}"


def after_interruption(folder: RunFolder, by: str = "SIGINT") -> str:
    """Name the checkpoint, and the command that resumes from it.

    Args:
        folder: of the run.
        by: the signal's name.
    """
    last = folder.last_checkpoint
    if not last.exists():
        return f"\nInterrupted by {by} before a state was saved in {shown(folder.path)}."
    return f"\nInterrupted by {by}; the state is in {shown(last)}.\nResume: {command('fit', last)}"


def after_divergence(folder: RunFolder) -> str:
    """Name the checkpoints saved before training diverged."""
    kept = [path for path in (folder.last_checkpoint, folder.best_checkpoint) if path.exists()]
    names = " and ".join(map(shown, kept))
    return f"  the last good states: {names}" if kept else FROM_THE_START


def files(folder: RunFolder) -> str:
    """List the files in the run's folder."""
    entries = sorted(p for p in folder.path.iterdir() if not p.name.startswith("."))
    names = [f"{p.name}/" if p.is_dir() else p.name for p in entries]
    if folder.checkpoints.is_dir():
        saved = sorted(p.name for p in folder.checkpoints.iterdir())
        inside = ", ".join(name for name in saved if not name.startswith("."))
        names = [f"checkpoints/ ({inside})" if n == "checkpoints/" else n for n in names]
    return f"\nEverything is in {shown(folder.path)}/: {', '.join(names)}"


def command(subcommand: str, checkpoint: Path) -> str:
    """Return a command line for a run's checkpoint, which implies the run's settings."""
    return f"{program()} {subcommand} --ckpt_path {shlex.quote(shown(checkpoint))}"


def repetition(folder: RunFolder) -> str:
    """Return a command line that trains from scratch with a run's settings."""
    return f"{program()} fit --config {shlex.quote(shown(folder.config))}"


def comparison(folder: RunFolder) -> str:
    """Return a command line that compares the runs of all experiments in this folder, as a page.

    Never the whole working folder: a run may lie there without an experiment's folder.
    """
    experiments, experiment = folder.path.parent.parent, folder.path.parent
    whole = experiments.resolve() == Path.cwd()
    runs = shlex.quote(shown(experiment if whole else experiments))
    return f"{program()} compare {runs} --out report.html"


def program() -> str:
    """Return this program as the user typed it: ``gtmm``, or ``cli.py`` with its interpreter.

    A sweep starts its runs by the file; without a checkout, they show the command.
    """
    typed, interpreter = Path(sys.argv[0]), Path(sys.executable)
    if typed.stem == COMMAND:
        return _as_typed(COMMAND, typed)
    if not IN_CHECKOUT:
        return _as_typed(COMMAND, interpreter.with_name(COMMAND))
    return f"{_as_typed('python', interpreter)} {shlex.quote(shown(PROGRAM))}"


def _as_typed(name: str, path: Path) -> str:
    """Return a program's name without its folder if the shell would find the same one."""
    on_path = shutil.which(name)
    # Not resolved: a virtual environment's interpreter is a link to one that lacks its packages.
    same = on_path is not None and os.path.abspath(on_path) == os.path.abspath(path)
    return name if same else shlex.quote(shown(path))
