"""Initialisation as an associative memory, for cores whose words are a linear map of the item.

Attention that starts nearly uniform gives no learning signal: reads mix all items, and the model
learns to ignore its memory. So these cores start by storing every item in a separate slot and by
reading, sharply, the item whose key resembles the control. If the control has a clock, some heads
read the item stored a certain number of steps ago instead.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from memory_cores.core import MemorySizes
from memory_cores.parts.clock import centre, turned

#: Gain of a key's projection: entries of a controller's state are about 1/3, those of values
#: (standard normal latents) about 1; with it both weigh about the same in a word.
KEY_GAIN = 3.0
#: Gain of the clock's hands relative to the other units of a state.
CLOCK_GAIN = 2.0
#: Gain of those other units in the keys of heads that look up by content alone.
CONTENT_QUERY_GAIN = 4.0
#: Bias of the read heads' raw strengths, enough to single out one slot among dozens, and the factor
#: on their initial weights, which would obscure it otherwise.
READ_STRENGTH, STEADY = 8.0, 0.1
#: Share of a core's R heads that look up by content; the others, at least one, look up by time.
CONTENT_SHARE = 0.4


class Affine(NamedTuple):
    """Rows of a linear layer, to initialise in place."""

    weight: Tensor  #: [N, I]
    bias: Tensor  #: [N]


def rows_of(layer: nn.Linear, parts: Sequence[int]) -> list[Affine]:
    """Split the output rows of a layer into parts of these sizes."""
    size = list(parts)
    weights, biases = layer.weight.detach().split(size), layer.bias.detach().split(size)
    return list(map(Affine, weights, biases))


def lags(heads: int, sizes: MemorySizes) -> list[float | None]:
    """Return the initial lag of each read head, in steps; None for look-up by content."""
    by_content = round(CONTENT_SHARE * heads) if sizes.clock else heads
    return [None] * by_content + spread_lags(heads - by_content, sizes.steps)


def spread_lags(heads: int, steps: int) -> list[float]:
    """Divide the lags from 1 to T - 1 among the heads; return the middle of each part.

    A lag between two heads starts with at least a fifth of the mass of uniform attention, enough to
    learn it.
    """
    return [1 + (steps - 2) * (r + 0.5) / heads for r in range(heads)]


@torch.no_grad()
def associate_keys_with_values(
    words: Affine, keys: Affine | None, word_size: int, sizes: MemorySizes
) -> None:
    """Start with words that are a projected key plus a rotated value, read by a similar control.

    If keys and controls are of one kind (controller states), read heads start with the same
    projection, so that a state retrieves what was stored in a similar state.

    Args:
        words: rows for H words of width W, from [control; key; value].
        keys: rows for the keys of R read heads, if any, from the control.
        word_size: width W of a word.
        sizes: widths of control, key and value, and the control's clock.
    """
    hands = 2 * len(sizes.clock)
    projection = torch.randn(word_size, sizes.key) * KEY_GAIN / sizes.key**0.5
    projection[:, :hands] *= CLOCK_GAIN
    for weight, bias in zip(*(part.split(word_size) for part in words), strict=True):
        of_control, of_key, of_value = weight.split([sizes.control, sizes.key, sizes.value], 1)
        of_control.zero_()  # it would add noise to look-ups by key
        of_key.copy_(projection)
        nn.init.orthogonal_(of_value)  # keeps the length of a value
        if hands:
            bias.copy_(-projection[:, :hands] @ centre(sizes.clock).to(bias))
    if keys is not None and sizes.control == sizes.key:
        heads = (part.split(word_size) for part in keys)
        spread = lags(len(keys.bias) // word_size, sizes)
        for weight, bias, lag in zip(*heads, spread, strict=True):
            weight.copy_(projection)
            if hands:
                weight.copy_(_query_map(projection, lag, sizes))
                bias.copy_(-weight[:, :hands] @ centre(sizes.clock).to(bias))


def _query_map(projection: Tensor, lag: float | None, sizes: MemorySizes) -> Tensor:
    """Return the map [W, control] from a state to a key, by content or by time."""
    hands = 2 * len(sizes.clock)
    of_clock, of_content = projection[:, :hands], projection[:, hands:]
    if lag is None:
        return torch.cat([torch.zeros_like(of_clock), CONTENT_QUERY_GAIN * of_content], 1)
    back = turned(sizes.clock, -lag).to(projection)
    return torch.cat([of_clock @ back, of_content], 1)
