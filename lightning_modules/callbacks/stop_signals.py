"""Signals that end a process: Ctrl-C, a scheduler's, a closed terminal's."""

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
#: Launchers forward a signal that the whole group has received; a second Ctrl-C comes later.
ECHO_SECONDS = 1.0
#: Time for processes that have been told to end.
PATIENCE_SECONDS = 5.0


class Stopped(BaseException):
    """A signal has ended the process without loss of state.

    Args:
        received: the signal.
    """

    def __init__(self, received: signal.Signals) -> None:
        super().__init__(received.name)
        self.signal = received


class StopSignals:
    """Context of signal handlers: records a signal during training, else raises ``Stopped``.

    Signals that the process ignores from its start, as under nohup, stay ignored.
    """

    def __init__(self) -> None:
        #: The first signal received.
        self.received: signal.Signals | None = None
        #: All processes know that one of them has received a signal.
        self.agreed = False
        #: Signals wait for the end of a batch.
        self.waits = False
        #: Signal after which the job is requeued.
        self.requeues: signal.Signals | None = None
        #: Processes that Lightning has launched.
        self.launched: list[subprocess.Popen[Any]] = []
        self._noted = 0.0
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "StopSignals":
        """Handle the signals."""
        for each in SIGNALS:
            self.handle(each)
        return self

    def __exit__(self, kind: type[BaseException] | None, *exception: object) -> None:
        """Restore the previous handlers, and leave no process behind."""
        for each, handler in self._before.items():
            signal.signal(each, handler)
        self._before.clear()
        if kind is None:
            # Other processes may still be writing: let them finish.
            self.launched.clear()
        self.end_children(patience=PATIENCE_SECONDS)

    def handle(self, each: signal.Signals) -> None:
        """Install the handler of a signal."""
        main = threading.current_thread() is threading.main_thread()
        if main and signal.getsignal(each) != signal.SIG_IGN:
            self._before.setdefault(each, signal.signal(each, self._note))

    def end_children(self, patience: float = 0.0) -> None:
        """End the processes that this one has started; none has unsaved state.

        Args:
            patience: seconds that they have to end by themselves.
        """
        launched = list(self.launched)
        # Lightning watches this list, and kills this process if one of them is killed.
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
            # A second Ctrl-C: exit at once.
            self.end_children()
            os._exit(128 + number)
        if not self.waits:
            # Raise only once: the exception then passes through clean-up of loaders and loggers.
            self.waits = True
            raise Stopped(received)
