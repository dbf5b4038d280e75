"""Initial weights as an associative memory, for cores whose words are a linear map of the item.

Attention that starts nearly uniform teaches nothing: whatever is stored comes back mixed with all
the rest, and the model learns to do without its memory. So these cores start by storing every item
in a slot of its own, and find it, sharply, under a control like its key. Where the control has a
clock, some heads find the item that was stored so many steps ago instead.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from memory_cores.core import MemorySizes
from memory_cores.parts.clock import centre, turned

#: Gain of a key's projection: entries of a controller's state are about 1/3 in size, those of
#: values (standard normal latents) about 1, so that both then weigh about as much in a word.
KEY_GAIN = 3.0
#: Gain of the clock's hands beside the other units of a state.
CLOCK_GAIN = 2.0
#: Gain of those other units in the keys of heads that look up by content alone.
CONTENT_GAIN = 4.0
#: Bias of the read heads' raw strengths: enough to single out one slot among dozens. Their weights
#: start at a tenth, or they would hide it.
SHARP, STEADY = 8.0, 0.1
#: Of the R heads of a core, this share looks up by content; the others by time, one at least.
CONTENT_SHARE = 0.4


class Affine(NamedTuple):
    """Rows of a linear layer, to be filled."""

    weight: Tensor  #: [N, I]
    bias: Tensor  #: [N]


def rows_of(layer: nn.Linear, parts: Sequence[int]) -> list[Affine]:
    """Split a layer's outputs into parts of these sizes."""
    size = list(parts)
    weights, biases = layer.weight.detach().split(size), layer.bias.detach().split(size)
    return list(map(Affine, weights, biases))


def lags(heads: int, sizes: MemorySizes) -> list[float | None]:
    """Return for each read head the lag, in steps, at which it starts; None where by content."""
    by_content = round(CONTENT_SHARE * heads) if sizes.clock else heads
    return [None] * by_content + spread_lags(heads - by_content, sizes.steps)


def spread_lags(heads: int, steps: int) -> list[float]:
    """Return for each of some heads the middle of its part of all lags, from 1 to T - 1.

    A lag between two heads starts with a fifth of a uniform look-up's mass, or more: learning finds
    it.
    """
    return [1 + (steps - 2) * (r + 0.5) / heads for r in range(heads)]


@torch.no_grad()
def associate_keys_with_values(
    words: Affine, keys: Affine | None, word_size: int, sizes: MemorySizes
) -> None:
    """Start with words that are a projected key plus a rotated value, found by a similar control.

    Where keys and controls are vectors of one kind (a controller's states), read heads start with
    the same projection, so that a state finds what was stored in a similar state.

    Args:
        words: of inputs [control; key; value], rows for H words of W.
        keys: of the control, rows for the keys of R read heads, if any.
        word_size: width W of a word.
        sizes: widths of control, key and value, and the control's clock.
    """
    hands = 2 * len(sizes.clock)
    projection = torch.randn(word_size, sizes.key) * KEY_GAIN / sizes.key**0.5
    projection[:, :hands] *= CLOCK_GAIN
    for weight, bias in zip(*(part.split(word_size) for part in words), strict=True):
        of_control, of_key, of_value = weight.split([sizes.control, sizes.key, sizes.value], 1)
        of_control.zero_()  # it would be noise to a look-up by key
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
                weight.copy_(_asking(projection, lag, sizes))
                bias.copy_(-weight[:, :hands] @ centre(sizes.clock).to(bias))


def _asking(projection: Tensor, lag: float | None, sizes: MemorySizes) -> Tensor:
    """Return the map [W, control] from a state to a key, by content or by time."""
    hands = 2 * len(sizes.clock)
    of_clock, of_others = projection[:, :hands], projection[:, hands:]
    if lag is None:
        return torch.cat([torch.zeros_like(of_clock), CONTENT_GAIN * of_others], 1)
    back = turned(sizes.clock, -lag).to(projection)
    return torch.cat([of_clock @ back, of_others], 1)
