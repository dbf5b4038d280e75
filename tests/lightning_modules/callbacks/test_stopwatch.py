"""Training time adds up over interruptions."""

from unittest.mock import MagicMock

import pytest

from lightning_modules.callbacks.stopwatch import Stopwatch


def test_time_goes_on_from_a_checkpoint(monkeypatch: pytest.MonkeyPatch):
    now = iter([100.0, 105.0])
    monkeypatch.setattr("time.monotonic", lambda: next(now))
    stopwatch = Stopwatch()
    stopwatch.load_state_dict({"seconds": 7.0})
    stopwatch.on_train_start(MagicMock(), MagicMock())
    stopwatch.on_train_end(MagicMock(), MagicMock())
    assert stopwatch.state_dict() == {"seconds": 12.0}
