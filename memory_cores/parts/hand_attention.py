"""Initial weights of an attention that tells times apart by the hands of a clock."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from memory_cores.parts.attention import MultiheadAttention
from memory_cores.parts.clock import centre, ticks, turned

#: Approximate length of a hand.
LENGTH = 0.4
#: Logit of two equal times in each head. It is sharper than a look-up's, since a value copied in
#: every step must not mix with its neighbours.
STRENGTH = 20.0


def hands_at(times: Sequence[float], clock: Sequence[float]) -> Tensor:
    """Return the ends [N, 2 P] of hands of equal length at N times, in steps.

    Between two steps, hands turn on from the first at the clock's nominal speed.
    """
    hands = ticks(clock, int(max(times)))[[int(time) for time in times]] - centre(clock)
    for row, time in zip(hands, times, strict=True):
        if time % 1:
            row.copy_(turned(clock, time % 1) @ row)
    directions = F.normalize(hands.unflatten(1, (-1, 2)), dim=2).flatten(1)
    return LENGTH * directions + centre(clock)


@torch.no_grad()
def attend_by_hands(attention: MultiheadAttention, clock: Sequence[float]) -> None:
    """Compare keys and queries by their hands alone, and pass values through unchanged.

    The rectified layer represents a number by two units, one per sign. Each head sees as many hands
    as fit, fast and slow ones.

    Args:
        attention: its keys must begin with the hands.
        clock: periods of P hands, in steps; only the first are used if the width is too small.
    """
    pairs = min(len(clock), attention.value_size // 4)
    width = attention.keys.out_features // attention.heads
    visible = min(width // 2, pairs)
    if not visible:
        return
    hands, first, second = 2 * pairs, attention.encoder[0], attention.encoder[2]
    assert isinstance(first, nn.Linear) and isinstance(second, nn.Linear)
    for part in (*first.parameters(), *second.parameters()):
        part.zero_()
    middle = centre(clock)[:hands] / LENGTH
    for sign, rows in ((1, slice(hands)), (-1, slice(hands, 2 * hands))):
        first.weight[rows, :hands] = sign * torch.eye(hands) / LENGTH
        first.bias[rows] = -sign * middle
        second.weight[:hands, rows] = sign * torch.eye(hands)
    gain = (STRENGTH * width**0.5 / visible) ** 0.5
    for layer in (attention.queries, attention.keys):
        layer.weight.zero_()
        for head, rows in enumerate(layer.weight.split(width)):
            for place in range(visible):
                pair = (head + place * pairs // visible) % pairs
                rows[2 * place : 2 * place + 2, 2 * pair : 2 * pair + 2] = gain * torch.eye(2)
    nn.init.orthogonal_(attention.values.weight)
    attention.output.weight.copy_(attention.values.weight.T)


@torch.no_grad()
def ask_for_lags(queries: nn.Linear, lags: Sequence[float], clock: Sequence[float]) -> None:
    """Initialise R queries as the control with its hands turned back, by a lag per head.

    Args:
        queries: map from a control to R queries of the same layout.
        lags: R lags, in steps.
        clock: periods of P hands, in steps.
    """
    hands = 2 * len(clock)
    parts = queries.weight.chunk(len(lags)), queries.bias.chunk(len(lags))
    for weight, bias, lag in zip(*parts, lags, strict=True):
        weight.mul_(0.1)[:hands] = 0
        weight[:hands, :hands] = turned(clock, -lag)
        bias.zero_()[:hands] = centre(clock) - turned(clock, -lag) @ centre(clock)
