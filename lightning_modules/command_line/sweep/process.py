"""The processes of a run: training, then testing."""

import os
import re
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
#: Read by torch; if unset, every process would use all cores.
THREADS = "OMP_NUM_THREADS"
Command = Callable[[PlannedRun], list[str]]


def start(
    run: PlannedRun, command: Command, threads: int, launcher: Sequence[str] = ()
) -> subprocess.Popen[bytes] | None:
    """Start a command; None while a process of an earlier sweep still writes to the run.

    Args:
        run: the run, whose log stays locked until all its writers have ended.
        command: returns the arguments; called once no other process writes to the run.
        threads: of the process, unless set by the user; not used with a launcher.
        launcher: prefix of the command line, such as ``srun --ntasks=1``.
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
            # The log is UTF-8, whatever the locale.
            env={
                **({} if launcher else {THREADS: str(threads)}),
                **os.environ,
                "PYTHONIOENCODING": "utf-8",
            },
            # The sweep forwards signals itself, so that no run receives one twice.
            start_new_session=True,
        )


def send(process: subprocess.Popen[bytes], number: int) -> None:
    """Send a signal to a process and its children, as a terminal does."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def orphans(run: PlannedRun) -> list[int]:
    """Return the ids of an earlier sweep's processes that write to a run's log; Linux only."""
    pids = []
    for output in Path("/proc").glob("[0-9]*/fd/1"):
        with suppress(OSError):
            if output.samefile(run.log):
                pids.append(int(output.parts[2]))
    return pids


def training(run: PlannedRun) -> list[str]:
    """Return the arguments that train from scratch, or resume."""
    if states := run.folder.states:
        # If all are damaged, fit rejects the first by name.
        intact = next(filter(is_intact, states), states[0])
        return ["fit", *run.arguments, f"--ckpt_path={intact}"]
    # Left over from a run that ended before saving; otherwise the new run would get another name.
    shutil.rmtree(run.folder.path, ignore_errors=True)
    return ["fit", *run.arguments]


def testing(run: PlannedRun) -> list[str]:
    """Return the arguments that test the best checkpoint."""
    last, best = run.folder.last_checkpoint, run.folder.best_checkpoint
    return ["test", f"--ckpt_path={best if best.exists() else last}"]


def newest_step(run: PlannedRun, start: int = 0) -> str:
    """Return the last step that a run's log names, as "step 151 of 750"; empty if there is none.

    Args:
        run: the run.
        start: bytes of the log to skip.
    """
    if not run.log.exists():  # deleted by the user
        return ""
    with run.log.open("rb") as log:
        log.seek(start)
        lines = log.read().decode("utf-8", errors="replace").splitlines()
    # As ProgressLines writes them.
    steps = (re.match(r"step [\d,]+( of [\d,]+)?(?= \(|:)", line) for line in reversed(lines))
    return next((found[0] for found in steps if found), "")


def reason(run: PlannedRun, code: int) -> str:
    """Return why a process failed: the signal that ended it, or its last line of output."""
    if code < 0:
        return f"ended by {signal.Signals(-code).name}"
    lines = run.log.read_text(encoding="utf-8", errors="replace").splitlines()
    return next((line.strip() for line in reversed(lines) if line.strip()), "printed nothing")
