"""Signals that ask a process to end: Ctrl-C, a scheduler's, a closed terminal's."""

import os
import signal
import subprocess
import threading
import time
from contextlib import suppress
from types import FrameType
from typing import Any

from datamodules.loading.loader import end_workers

SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
#: Launchers pass a signal on that its group has had already: no second Ctrl-C is that fast.
ECHO_SECONDS = 1.0
#: For processes that know that they are to end.
PATIENCE_SECONDS = 5.0


class Stopped(BaseException):
    """A signal ended what nothing is lost of.

    Args:
        received: the signal.
    """

    def __init__(self, received: signal.Signals) -> None:
        super().__init__(received.name)
        self.signal = received


class StopSignals:
    """Notes a signal while training goes on, and else raises ``Stopped``; a context of handlers.

    What a process ignores from its start, as under nohup, stays ignored.
    """

    def __init__(self) -> None:
        #: The first one.
        self.received: signal.Signals | None = None
        #: All processes know that one of them has received a signal.
        self.agreed = False
        #: A signal waits for the end of a batch.
        self.waits = False
        #: Tells the scheduler to start the job again.
        self.requeues: signal.Signals | None = None
        #: Processes that Lightning has started.
        self.launched: list[subprocess.Popen[Any]] = []
        self._noted = 0.0
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "StopSignals":
        """Handle the signals."""
        for each in SIGNALS:
            self.handle(each)
        return self

    def __exit__(self, kind: type[BaseException] | None, *exception: object) -> None:
        """Handle them as before; leave no process behind."""
        for each, handler in self._before.items():
            signal.signal(each, handler)
        self._before.clear()
        if kind is None:
            # What others still write is theirs to end.
            self.launched.clear()
        self.end_children(patience=PATIENCE_SECONDS)

    def handle(self, each: signal.Signals) -> None:
        """Handle a signal from now on."""
        main = threading.current_thread() is threading.main_thread()
        if main and signal.getsignal(each) != signal.SIG_IGN:
            self._before.setdefault(each, signal.signal(each, self._note))

    def end_children(self, patience: float = 0.0) -> None:
        """End the processes that this one has started; none of them holds anything.

        Args:
            patience: seconds in which they may end by themselves.
        """
        launched = list(self.launched)
        # Lightning's own guard watches this list, and kills this process if one of them is killed.
        self.launched.clear()
        until = time.monotonic() + patience
        for process in launched:
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, until - time.monotonic()))
            process.kill()
        end_workers()

    def _note(self, number: int, frame: FrameType | None) -> None:
        received, now = signal.Signals(number), time.monotonic()
        if self.received is None:
            self.received, self._noted = received, now
        elif received is signal.SIGINT and now > self._noted + ECHO_SECONDS:
            # Somebody does not want to wait. Whatever is under way is left as it is.
            self.end_children()
            os._exit(128 + number)
        if not self.waits:
            # Not twice: the first one is on its way up, through the ends of loaders and loggers.
            self.waits = True
            raise Stopped(received)
