"""Initial weights of an attention that tells times apart by the hands of a clock."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from memory_cores.parts.attention import MultiheadAttention
from memory_cores.parts.clock import centre, ticks, turned

#: Length of a hand, about.
LENGTH = 0.4
#: Exponent of two equal times in each head. What is copied again in every step must be copied
#: without its neighbours, so it is sharper than a look-up.
STRENGTH = 20.0


def hands_at(times: Sequence[int], clock: Sequence[float]) -> Tensor:
    """Return the hands' ends [N, 2 P] at N times, in steps, all equally long."""
    hands = ticks(clock, max(times))[list(times)] - centre(clock)
    turning = F.normalize(hands.unflatten(1, (-1, 2)), dim=2).flatten(1)
    return LENGTH * turning + centre(clock)


@torch.no_grad()
def attend_by_hands(attention: MultiheadAttention, clock: Sequence[float]) -> None:
    """Let keys and queries meet by their hands alone, and values pass as they are.

    A rectified layer keeps a number as two, one for each sign. Each head sees as many hands as it
    has room for, fast and slow ones.

    Args:
        attention: with keys that begin with the hands.
        clock: periods of P hands, in steps; of too many for the width, the first are used.
    """
    pairs = min(len(clock), attention.value_size // 4)
    width = attention.keys.out_features // attention.heads
    seen = min(width // 2, pairs)
    if not seen:
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
    gain = (STRENGTH * width**0.5 / seen) ** 0.5
    for layer in (attention.queries, attention.keys):
        layer.weight.zero_()
        for head, rows in enumerate(layer.weight.split(width)):
            for place in range(seen):
                pair = (head + place * pairs // seen) % pairs
                rows[2 * place : 2 * place + 2, 2 * pair : 2 * pair + 2] = gain * torch.eye(2)
    nn.init.orthogonal_(attention.values.weight)
    attention.output.weight.copy_(attention.values.weight.T)


@torch.no_grad()
def ask_for_lags(asking: nn.Linear, lags: Sequence[float], clock: Sequence[float]) -> None:
    """Let queries be the control with its hands turned back by one lag for each of R heads.

    Args:
        asking: map from a control to R queries of the same kind.
        lags: R lags, in steps.
        clock: periods of P hands, in steps.
    """
    hands = 2 * len(clock)
    parts = asking.weight.chunk(len(lags)), asking.bias.chunk(len(lags))
    for weight, bias, lag in zip(*parts, lags, strict=True):
        weight.mul_(0.1)[:hands] = 0
        weight[:hands, :hands] = turned(clock, -lag)
        bias.zero_()[:hands] = centre(clock) - turned(clock, -lag) @ centre(clock)
