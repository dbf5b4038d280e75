"""A run's processes, one after the other: training, then the test."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from lightning_modules.command_line.sweep.lock import locked
from lightning_modules.command_line.sweep.plan import PlannedRun

PROGRAM = Path(__file__).parents[3] / "cli.py"
#: Torch reads it; unset, every process would take all cores.
THREADS = "OMP_NUM_THREADS"


class RunProcesses:
    """Runs what is left of a run.

    Args:
        run: what to run.
        trained: before, so that only the test is left.
        test: after training.
        threads: of each process, unless the user set them.
    """

    def __init__(self, run: PlannedRun, trained: bool, test: bool, threads: int) -> None:
        self.run, self.trained = run, trained
        self.began = time.monotonic()
        self.code: int | None = None
        self._commands = commands(run, trained, test)
        self._process: subprocess.Popen[bytes] | None = None
        self._environment = {THREADS: str(threads), **os.environ}

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self.began

    @property
    def waiting(self) -> bool:
        """Whether a process of an earlier sweep is still at it."""
        return self._process is None

    def advance(self) -> bool:
        """Start what comes next where something has ended; whether the run is over."""
        if self._process is None:
            return self._start_next()
        self.code = self._process.poll()
        if self.code is None:
            return False
        self._note_training()
        return self.code != 0 or self._start_next()

    def signal(self, number: int) -> None:
        """Send a signal to all processes of the run, as a terminal does."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def ended(self) -> bool:
        """Whether no process is left, without starting another one."""
        if self._process is None:
            return True
        self.code = self._process.poll()
        self._note_training()
        return self.code is not None

    def reason(self) -> str:
        """Why it failed: the last that it said, or what ended it."""
        if self.code is not None and self.code < 0:
            return f"ended by {signal.Signals(-self.code).name}"
        said = self.run.log.read_text(errors="replace").splitlines()
        return next((line.strip() for line in reversed(said) if line.strip()), "said nothing")

    def _note_training(self) -> None:
        self.trained |= self.code == 0

    def _start_next(self) -> bool:
        """Start the next command; the log is locked until all its writers have ended."""
        with self.run.log.open("ab") as log:
            if not locked(log.fileno()):
                return False
            command = next(self._commands, None)
            if command is None:
                return True
            self._process = subprocess.Popen(
                [sys.executable, str(PROGRAM), *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment,
                # The sweep hands signals on itself, so that no run sees one twice.
                start_new_session=True,
            )
        return False


def commands(run: PlannedRun, trained: bool, test: bool) -> Iterator[list[str]]:
    """Command lines of what is left of a run, each made when its turn comes."""
    last, best = run.folder.last_checkpoint, run.folder.best_checkpoint
    if not trained:
        going_on = [f"--ckpt_path={last}"] if last.exists() else []
        if not going_on:
            # Of a run that ended before it could save anything; else it would take another name.
            shutil.rmtree(run.folder.path, ignore_errors=True)
        yield ["fit", *run.arguments, *going_on]
    if test:
        yield ["test", f"--ckpt_path={best if best.exists() else last}"]
