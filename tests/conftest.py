"""Fixtures that all tests share."""

import signal
from collections.abc import Iterator

import pytest

from datamodules.rooms import filming
from memory_cores.kernels import building
from tests.datamodules.rooms.painter import Painter

# Whoever starts the tests under nohup, or with "&" in a script, has them ignore Ctrl-C.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def signals_stay() -> Iterator[None]:
    """Find the test that leaves a signal handled otherwise than before: a later one would hang."""
    numbers = signal.SIGINT, signal.SIGTERM, signal.SIGHUP
    before = [signal.getsignal(number) for number in numbers]
    yield
    after = [signal.getsignal(number) for number in numbers]
    for number, handler in zip(numbers, before, strict=True):
        if handler is not None:
            signal.signal(number, handler)
    assert after == before


@pytest.fixture(autouse=True)
def painted(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paint films in the place of the 3D engine, which takes seconds to start, but where marked."""
    if request.node.get_closest_marker("engine") is None:
        monkeypatch.setattr(filming, "FilmWorker", Painter)


@pytest.fixture(autouse=True)
def operators(request: pytest.FixtureRequest) -> Iterator[None]:
    """Leave C++ operators out, whether or not a test before has built them, but where marked."""
    if request.node.get_closest_marker("operators"):
        building.build()
        yield
    else:
        with building.left_out():
            yield
