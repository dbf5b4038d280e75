"""Interleaving and statistics, with a clock that only steps advance."""

import gc
from collections.abc import Callable

import pytest

from timing import Step, Times, host_timer, interleaved


class Clock:
    """A clock that is advanced explicitly."""

    def __init__(self) -> None:
        self.now = 0.0
        self.turns: list[str] = []

    def __call__(self) -> float:
        return self.now

    def spend(self, name: str, *seconds: float) -> Step:
        """Return a step with these durations, one per call."""
        durations = iter(seconds)

        def step() -> None:
            self.turns.append(name)
            self.now += next(durations)

        return step


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_contestants_take_turns_and_every_other_round_is_reversed(clock: Clock) -> None:
    steps = {name: clock.spend(name, 1, 1, 1, 1) for name in "abc"}
    interleaved(steps, rounds=3, timer=host_timer(clock), warm_up=1)
    assert "".join(clock.turns) == "cba" + "abc" + "cba" + "abc"


def test_times_are_those_of_one_contestant_after_the_warm_up(clock: Clock) -> None:
    steps = {"a": clock.spend("a", 9, 9, 0.003, 0.001, 0.008), "b": clock.spend("b", *[0.5] * 5)}
    times = interleaved(steps, rounds=3, timer=host_timer(clock))
    assert times["a"] == (pytest.approx(3), pytest.approx(1))
    assert times["b"] == (pytest.approx(500), pytest.approx(500))


def test_an_even_number_of_rounds_has_a_median_between_two() -> None:
    assert Times.of([4.0, 1.0, 3.0, 9.0]) == (3.5, 1.0)


def test_the_collector_stays_out_of_the_steps(clock: Clock) -> None:
    enabled: list[bool] = []
    interleaved({"a": lambda: enabled.append(gc.isenabled())}, 2, host_timer(clock))
    assert enabled == [False] * 4
    assert gc.isenabled()


def test_the_collector_works_again_after_a_failure(clock: Clock) -> None:
    def fail() -> None:
        raise RuntimeError

    failing: dict[str, Callable[[], object]] = {"a": fail}
    with pytest.raises(RuntimeError):
        interleaved(failing, 1, host_timer(clock))
    assert gc.isenabled()
