"""Ctrl-C and its kin, to be answered when it suits."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

#: Windows lacks the last one.
NAMES = ("SIGINT", "SIGTERM", "SIGHUP")
SIGNALS = [getattr(signal, name) for name in NAMES if hasattr(signal, name)]


@dataclass
class StopRequest:
    """Whether somebody wants the end.

    Args:
        times: how often it was asked for.
        signal: the last one's number.
    """

    times: int = 0
    signal: int = 0

    def __bool__(self) -> bool:
        return self.times > 0

    def receive(self, number: int, frame: FrameType | None) -> None:
        """Remember a signal."""
        self.times, self.signal = self.times + 1, number


@contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """Collect signals instead of dying of them."""
    request = StopRequest()
    before = {number: signal.signal(number, request.receive) for number in SIGNALS}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
