"""What signals do to a process by itself."""

import os
import signal
import subprocess
import sys

import pytest

from lightning_modules.callbacks import stop_signals
from lightning_modules.callbacks.stop_signals import Stopped, StopSignals


@pytest.mark.parametrize("each", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_what_has_nothing_to_save(each: signal.Signals) -> None:
    before = signal.signal(each, signal.SIG_DFL)  # whoever runs the tests under nohup ignores one
    try:
        with pytest.raises(Stopped) as stop, StopSignals() as signals:
            os.kill(os.getpid(), each)
        assert stop.value.signal == signals.received == each
        assert signal.getsignal(each) is signal.SIG_DFL
    finally:
        signal.signal(each, before)


def test_a_signal_that_waits_is_noted() -> None:
    with StopSignals() as signals:
        signals.waits = True
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGHUP)
    assert signals.received == signal.SIGTERM


def test_what_is_ignored_stays_ignored(monkeypatch) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with StopSignals() as signals:
            os.kill(os.getpid(), signal.SIGHUP)
        assert signals.received is None
    finally:
        signal.signal(signal.SIGHUP, before)


class Left(BaseException):
    """Stands for the end of the process."""


def test_a_second_interrupt_ends_at_once_but_an_echo_does_not(monkeypatch) -> None:
    """``timeout`` and ``torchrun`` send what the whole group has had already."""

    def leave(status: int) -> None:
        raise Left(status)

    monkeypatch.setattr(os, "_exit", leave)
    clock = [10.0]
    monkeypatch.setattr(stop_signals.time, "monotonic", lambda: clock[0])
    with StopSignals() as signals:
        signals.waits = True
        for clock[0] in (10.0, 10.2, 10.9):
            os.kill(os.getpid(), signal.SIGINT)
        clock[0] = 11.5
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(Left, match="130"):
            os.kill(os.getpid(), signal.SIGINT)


def test_no_process_is_left_over() -> None:
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    signals = StopSignals()
    signals.launched.append(sleeper)
    signals.end_children()
    assert sleeper.wait(10) == -signal.SIGKILL
    # Lightning's guard kills this process if it finds one that was killed in its list.
    assert not signals.launched
