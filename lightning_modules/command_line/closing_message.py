"""Says at the end of a run where everything is, and what to try next."""

import os
import shlex
import shutil
import sys
from pathlib import Path

from lightning_modules.installation import IN_CHECKOUT, PROGRAM
from lightning_modules.records.run_folder import RunFolder, shown

#: Of a training that diverged before it saved anything.
FROM_THE_START = "  no state was saved before; try a lower --model.learning_rate, or another seed"
#: The command that an installation brings.
COMMAND = "gtmm"


def after_fit(folder: RunFolder, steps: int, other_core: str | None) -> str:
    """Name the run's files, and the commands that go on from them.

    Args:
        folder: of the run.
        steps: trained so far.
        other_core: a memory core to compare with; None for models without a choice.
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
    """Name the run's files, and the command that compares it."""
    return f"{files(folder)}\nCompare it with other runs: {comparison(folder)}"


def after_interruption(folder: RunFolder, by: str = "SIGINT") -> str:
    """Name the checkpoint, and the command that goes on from it.

    Args:
        folder: of the run.
        by: name of the signal.
    """
    last = folder.last_checkpoint
    if not last.exists():
        return f"\nInterrupted by {by} before there was anything to save in {shown(folder.path)}."
    return f"\nInterrupted by {by}; the state is in {shown(last)}.\nResume: {command('fit', last)}"


def after_divergence(folder: RunFolder) -> str:
    """Name the states that are left of a training that diverged."""
    kept = [path for path in (folder.last_checkpoint, folder.best_checkpoint) if path.exists()]
    names = " and ".join(map(shown, kept))
    return f"  the last good states: {names}" if kept else FROM_THE_START


def files(folder: RunFolder) -> str:
    """Name what the run's folder holds."""
    held = sorted(p for p in folder.path.iterdir() if not p.name.startswith("."))
    names = [f"{p.name}/" if p.is_dir() else p.name for p in held]
    if folder.checkpoints.is_dir():
        saved = sorted(p.name for p in folder.checkpoints.iterdir())
        inside = ", ".join(name for name in saved if not name.startswith("."))
        names = [f"checkpoints/ ({inside})" if n == "checkpoints/" else n for n in names]
    return f"\nEverything is in {shown(folder.path)}/: {', '.join(names)}"


def command(subcommand: str, checkpoint: Path) -> str:
    """A command line on a run's checkpoint, which brings the run's settings."""
    return f"{program()} {subcommand} --ckpt_path {shlex.quote(shown(checkpoint))}"


def repetition(folder: RunFolder) -> str:
    """A command line that trains anew with a run's settings."""
    return f"{program()} fit --config {shlex.quote(shown(folder.config))}"


def comparison(folder: RunFolder) -> str:
    """A command line that compares all runs beside this one's experiment, as a page.

    Never all that is in the working folder: a run may be there without an experiment's folder.
    """
    experiments, experiment = folder.path.parent.parent, folder.path.parent
    whole = experiments.resolve() == Path.cwd()
    runs = shlex.quote(shown(experiment if whole else experiments))
    return f"{program()} compare {runs} --out report.html"


def program() -> str:
    """Name this program as the user typed it: ``gtmm``, or ``cli.py`` with its interpreter.

    A sweep's runs are started by the file; where there is no checkout, they name the command.
    """
    typed, interpreter = Path(sys.argv[0]), Path(sys.executable)
    if typed.stem == COMMAND:
        return _as_typed(COMMAND, typed)
    if not IN_CHECKOUT:
        return _as_typed(COMMAND, interpreter.with_name(COMMAND))
    return f"{_as_typed('python', interpreter)} {shlex.quote(shown(PROGRAM))}"


def _as_typed(name: str, path: Path) -> str:
    """Name a program without its folder if the shell would find the same one."""
    on_path = shutil.which(name)
    # Not resolved: a virtual environment's interpreter is a link to one that lacks its packages.
    same = on_path is not None and os.path.abspath(on_path) == os.path.abspath(path)
    return name if same else shlex.quote(shown(path))
