"""A clock in a controller's state: pairs of units that turn like hands, each at its own speed.

A memory is of use only if it is read in the right place, and on a task whose steps look alike at
first (digit after digit, no actions) nothing but the time tells them apart. An untrained LSTM
does not tell the time: its state is the same in all steps but the first few. With a clock in the
state, the state of t - lag is that of t with all hands turned back, which is a linear map: a head
can look up by lag from the first step of training on.
"""

from collections.abc import Sequence
from math import cos, pi, tanh

import torch
from torch import Tensor

from memory_cores.parts.lstm import gated

#: Most pairs. Eight tell 50 steps apart.
PAIRS = 8
#: Period of the fastest hand, in steps; faster ones leave their circle.
FASTEST = 7.2
#: The slowest hand makes 5/16 of a turn in a sequence, which no two steps of it share.
SLOWEST = 3.2
#: Raw value of the gates, which thus are open, and the place that the hands turn about: beside 0,
#: since they start there, and off the axis of the second unit.
OPEN, CENTRE = 6.0, (tanh(0.5), 0.0)
#: What the bounds of tanh take from a hand's length in a step, as a share of 1 - cos(angle), and
#: what they leave of its speed, whatever its period.
LOST, SPEED = 0.2, 0.83


def clock_periods(units: int, steps: int) -> tuple[float, ...]:
    """Return periods, in steps, for the clock of a state of so many units over so many steps.

    It takes a quarter of the units for each kind of hand at most, so that small states have fewer
    hands, or none.
    """
    pairs = min(PAIRS, units // 4)
    slowest = max(SLOWEST * steps, 2 * FASTEST)
    return tuple(FASTEST * (slowest / FASTEST) ** (k / max(pairs - 1, 1)) for k in range(pairs))


def turned(periods: Sequence[float], steps: float) -> Tensor:
    """Return the map [2 P, 2 P] that turns all hands by so many steps; negative ones, back."""
    if not periods:
        return torch.zeros(0, 0)
    return torch.block_diag(*(_rotation(2 * pi * steps / period) for period in periods))


def centre(periods: Sequence[float]) -> Tensor:
    """Return the place [2 P] that the hands turn about."""
    return torch.tensor(CENTRE).repeat(len(periods))


@torch.no_grad()
def start_clock(recurrent: Tensor, others: Tensor, bias: Tensor, periods: Sequence[float]) -> None:
    """Make the first 2 P units of an LSTM a clock, which training may change.

    With open gates a cell adds up its candidates, tanh((g R - I)(h - m)): the hand h - m turns by
    R, and g makes up for what the bounds of tanh take from it.

    Args:
        recurrent: [4 H, H + F], weights of the last state and of what is fed back; gates in the
            order input, forget, output, candidate.
        others: [4 H, E], weights of all other inputs.
        bias: [4 H].
        periods: P periods, in steps.
    """
    size, units = 2 * len(periods), len(bias) // 4
    for gate in range(4):
        rows = slice(gate * units, gate * units + size)
        recurrent[rows], others[rows], bias[rows] = 0, 0, OPEN
    asked = [SPEED * period for period in periods]
    gains = torch.tensor([1 + LOST * (1 - cos(2 * pi / period)) for period in asked])
    move = gains.repeat_interleave(2).unsqueeze(1) * turned(asked, 1) - torch.eye(size)
    move = move.to(recurrent)
    candidates = slice(3 * units, 3 * units + size)
    recurrent[candidates, :size] = move
    bias[candidates] = -move @ centre(periods).to(recurrent)


@torch.no_grad()
def ticks(periods: Sequence[float], steps: int) -> Tensor:
    """Return the hands' ends [steps + 1, 2 P] while the clock runs, from the initial zeros on."""
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
