"""The clock in a controller's state, with a NumPy LSTM."""

import numpy as np
import pytest
import torch

from memory_cores.parts.clock import centre, clock_periods, start_clock, ticks, turned

UNITS, FEEDBACK, EVIDENCE = 48, 5, 3


def states(steps: int, length: int, fed: float = 0.0) -> np.ndarray:
    """Unroll an LSTM with a clock from zeros, [steps + 1, UNITS], with random other inputs."""
    torch.manual_seed(0)
    recurrent = torch.randn(4 * UNITS, UNITS + FEEDBACK) / UNITS**0.5
    others, bias = torch.randn(4 * UNITS, EVIDENCE), torch.randn(4 * UNITS)
    start_clock(recurrent, others, bias, clock_periods(UNITS, length))
    weights, b = np.concatenate([recurrent.numpy(), others.numpy()], 1), bias.numpy()
    random = np.random.default_rng(0)
    hidden = cell = np.zeros(UNITS)
    states = [hidden]
    for _ in range(steps):
        inputs = fed * random.standard_normal(FEEDBACK + EVIDENCE)
        write, keep, show, candidate = np.split(weights @ np.r_[hidden, inputs] + b, 4)
        gates = (1 / (1 + np.exp(-gate)) for gate in (write, keep, show))
        write, keep, show = gates
        cell = keep * cell + write * np.tanh(candidate)
        hidden = show * np.tanh(cell)
        states.append(hidden)
    return np.array(states)


def hands(steps: int, length: int, fed: float = 0.0) -> np.ndarray:
    """Return the hands [steps + 1, P] as complex numbers."""
    pairs = states(steps, length, fed)[:, :16] - centre(clock_periods(UNITS, length)).numpy()
    return pairs[:, 0::2] + 1j * pairs[:, 1::2]


def test_periods_go_from_seven_steps_to_three_sequences() -> None:
    periods = clock_periods(UNITS, 15)
    assert len(periods) == 8
    assert periods[0] == 7.2 and periods[-1] == pytest.approx(48)
    ratios = np.divide(periods[1:], periods[:-1])
    np.testing.assert_allclose(ratios, ratios[0])


@pytest.mark.parametrize(("units", "pairs"), [(1, 0), (3, 0), (4, 1), (9, 2), (31, 7), (500, 8)])
def test_a_clock_takes_at_most_half_of_the_units(units: int, pairs: int) -> None:
    assert len(clock_periods(units, 4)) == pairs
    assert all(period >= 7 for period in clock_periods(units, 1))


@pytest.mark.parametrize("length", [15, 25, 55])
def test_hands_turn_at_their_speeds_and_keep_their_length(length: int) -> None:
    turning = hands(length, length)
    speeds = np.angle(turning[2:] / turning[1:-1]).mean(0)
    expected = 2 * np.pi / np.array(clock_periods(UNITS, length))
    np.testing.assert_allclose(speeds, expected, rtol=0.1)
    assert (np.abs(turning) > 0.2).all() and (np.abs(turning) < 0.75).all()


def test_nothing_but_the_time_moves_the_hands() -> None:
    np.testing.assert_array_equal(hands(20, 15, fed=1.0), hands(20, 15, fed=0.0))


def test_ticks_are_the_hands_of_the_controller() -> None:
    found = ticks(clock_periods(UNITS, 15), 12)
    np.testing.assert_allclose(found, states(12, 15)[:, :16], atol=1e-5)


@pytest.mark.parametrize("length", [15, 25, 55])
@pytest.mark.parametrize("share", [0.15, 0.4, 0.65])
def test_hands_turned_back_match_those_at_the_lag(length: int, share: float) -> None:
    lag, periods = round(share * length), clock_periods(UNITS, length)
    before = states(length, length)[:, :16] - centre(periods).numpy()
    query = turned(periods, -lag).numpy() @ before[-1]
    found = np.argmax(before @ query / np.linalg.norm(before, axis=1))
    assert abs((length - found) - lag) <= 1


def test_turning_composes_and_a_whole_period_is_no_turn() -> None:
    periods = (6.0, 10.0)
    there_and_back = turned(periods, 2.5) @ turned(periods, -2.5)
    torch.testing.assert_close(there_and_back, torch.eye(4))
    torch.testing.assert_close(turned(periods, 30), torch.eye(4), atol=1e-5, rtol=0)
    # A quarter of six steps turns the first hand from the first axis to the second.
    torch.testing.assert_close(turned(periods, 1.5)[:, 0], torch.tensor([0.0, 1, 0, 0]))
    assert turned((), 3).shape == (0, 0)
