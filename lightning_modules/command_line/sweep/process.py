"""A run's processes: training, and then the test."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from lightning_modules.command_line.checkpoint_check import is_intact
from lightning_modules.command_line.sweep.lock import locked
from lightning_modules.command_line.sweep.plan import PlannedRun
from lightning_modules.installation import PROGRAM

LEASH = Path(__file__).with_name("leash.py")
#: Torch reads it; unset, every process would take all cores.
THREADS = "OMP_NUM_THREADS"
Command = Callable[[PlannedRun], list[str]]


def start(
    run: PlannedRun, command: Command, threads: int, launcher: Sequence[str] = ()
) -> subprocess.Popen[bytes] | None:
    """Start a command; None as long as a process of an earlier sweep is still at the run.

    Args:
        run: whose log is locked until all its writers have ended.
        command: asked for its words once nobody else is at the run.
        threads: of the process, unless the user set them; a launcher's machine has its own number.
        launcher: begins the command line, such as ``srun --ntasks=1``.
    """
    with run.log.open("ab") as log:
        if not locked(log.fileno()):
            return None
        leash = [sys.executable, "-IS", str(LEASH), str(os.getpid())]
        return subprocess.Popen(
            [*leash, *launcher, sys.executable, str(PROGRAM), *command(run)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            # Its log is a text file, whatever the locale is.
            env={
                **({} if launcher else {THREADS: str(threads)}),
                **os.environ,
                "PYTHONIOENCODING": "utf-8",
            },
            # The sweep hands signals on itself, so that no run sees one twice.
            start_new_session=True,
        )


def send(process: subprocess.Popen[bytes], number: int) -> None:
    """Send a signal to a process and its children, as a terminal does."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def orphans(run: PlannedRun) -> list[int]:
    """Find the processes of an earlier sweep that write a run's log; only Linux tells."""
    found = []
    for output in Path("/proc").glob("[0-9]*/fd/1"):
        with suppress(OSError):
            if output.samefile(run.log):
                found.append(int(output.parts[2]))
    return found


def training(run: PlannedRun) -> list[str]:
    """Train from the start, or go on."""
    if states := run.folder.states:
        # Of two damaged ones the first is named when it is refused.
        intact = next(filter(is_intact, states), states[0])
        return ["fit", *run.arguments, f"--ckpt_path={intact}"]
    # Of a run that ended before it could save anything; else it would take another name.
    shutil.rmtree(run.folder.path, ignore_errors=True)
    return ["fit", *run.arguments]


def testing(run: PlannedRun) -> list[str]:
    """Test the state that validated best."""
    last, best = run.folder.last_checkpoint, run.folder.best_checkpoint
    return ["test", f"--ckpt_path={best if best.exists() else last}"]


def reason(run: PlannedRun, code: int) -> str:
    """Why a process failed: the last that it said, or what ended it."""
    if code < 0:
        return f"ended by {signal.Signals(-code).name}"
    said = run.log.read_text(encoding="utf-8", errors="replace").splitlines()
    return next((line.strip() for line in reversed(said) if line.strip()), "printed nothing")
