"""A clock in a controller's state: pairs of units that turn like hands, each at its own speed.

A memory helps only if it is read in the right place, and in a task whose steps look alike at first
(digit after digit, no actions) only the time tells them apart. The state of an untrained LSTM does
not encode the time: it is the same in all steps but the first few. With a clock in the state, the
hands at t - lag are those at t turned back, a linear map: a head can look up by lag from the first
training step on.
"""

from collections.abc import Sequence
from math import cos, pi, tanh

import torch
from torch import Tensor

from memory_cores.parts.lstm import gated

#: Maximum number of pairs. Eight tell 50 steps apart.
PAIRS = 8
#: Period of the fastest hand, in steps; faster ones do not stay on a circle.
FASTEST = 7.2
#: Slowest period in sequence lengths: 5/16 of a turn per sequence, unique in each step.
SLOWEST = 3.2
#: Raw value of the gates, which opens them, and the centre that the hands turn about: not 0, where
#: they start.
RAW_GATE, CENTRE = 6.0, (tanh(0.5), 0.0)
#: Effect of the saturation of tanh: the relative loss of a hand's length in a step, in units of
#: 1 - cos(angle), and the factor left of its speed.
LOST, SPEED = 0.2, 0.83


def clock_periods(units: int, steps: int) -> tuple[float, ...]:
    """Return the periods, in steps, of a clock for a state of this many units and steps.

    There is at most one pair for every four units: small states have fewer hands, or none.
    """
    pairs = min(PAIRS, units // 4)
    slowest = max(SLOWEST * steps, 2 * FASTEST)
    return tuple(FASTEST * (slowest / FASTEST) ** (k / max(pairs - 1, 1)) for k in range(pairs))


def turned(periods: Sequence[float], steps: float) -> Tensor:
    """Return the map [2 P, 2 P] that turns all hands by ``steps``, backwards if negative."""
    if not periods:
        return torch.zeros(0, 0)
    return torch.block_diag(*(_rotation(2 * pi * steps / period) for period in periods))


def centre(periods: Sequence[float]) -> Tensor:
    """Return the centres [2 P] that the hands turn about."""
    return torch.tensor(CENTRE).repeat(len(periods))


@torch.no_grad()
def start_clock(recurrent: Tensor, others: Tensor, bias: Tensor, periods: Sequence[float]) -> None:
    """Make the first 2 P units of an LSTM a clock, which training may change.

    With open gates a cell sums up its candidates, tanh((g R - I)(h - m)): the hand h - m turns by
    R, and the gain g makes up for the saturation of tanh.

    Args:
        recurrent: [4 H, H + F], weights of the last state and of fed-back inputs; gates in the
            order input, forget, output, candidate.
        others: [4 H, E], weights of all other inputs.
        bias: [4 H].
        periods: P periods, in steps.
    """
    size, units = 2 * len(periods), len(bias) // 4
    for gate in range(4):
        rows = slice(gate * units, gate * units + size)
        recurrent[rows], others[rows], bias[rows] = 0, 0, RAW_GATE
    nominal = [SPEED * period for period in periods]
    gains = torch.tensor([1 + LOST * (1 - cos(2 * pi / period)) for period in nominal])
    move = gains.repeat_interleave(2).unsqueeze(1) * turned(nominal, 1) - torch.eye(size)
    move = move.to(recurrent)
    candidates = slice(3 * units, 3 * units + size)
    recurrent[candidates, :size] = move
    bias[candidates] = -move @ centre(periods).to(recurrent)


@torch.no_grad()
def ticks(periods: Sequence[float], steps: int) -> Tensor:
    """Return the ends of the hands [steps + 1, 2 P] of a clock started at zero."""
    size = 2 * len(periods)
    recurrent, others, bias = (
        torch.zeros(4 * size, size),
        torch.zeros(4 * size, 0),
        torch.zeros(4 * size),
    )
    start_clock(recurrent, others, bias, periods)
    hidden = cell = torch.zeros(size)
    ends = [hidden]
    for _ in range(steps):
        hidden, cell = gated(recurrent @ hidden + bias, cell)
        ends.append(hidden)
    return torch.stack(ends)


def _rotation(angle: float) -> Tensor:
    turn = torch.tensor(angle)
    return torch.stack([turn.cos(), -turn.sin(), turn.sin(), turn.cos()]).view(2, 2)
