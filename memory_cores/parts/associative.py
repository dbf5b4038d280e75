"""A start as an associative memory, shared by the cores whose words are a linear map of the item.

Attention that starts nearly uniform teaches nothing: whatever is stored comes back mixed with all
the rest, and the model learns to live without its memory. So these cores start by storing every
item in a slot of its own and by finding it, sharply, under a control like its key.
"""

import torch
from torch import Tensor, nn

from memory_cores.core import MemorySizes

#: Spread of a projected key whose entries are of the order of 1/3, as a controller's states are,
#: so that keys weigh about as much in a word as the values, standard normal latents.
KEY_GAIN = 3.0
#: Bias of the read heads' raw strengths: enough to single out one slot among dozens.
SHARP = 8.0


@torch.no_grad()
def associate_keys_with_values(
    vectors: Tensor, keys: Tensor | None, word_size: int, sizes: MemorySizes
) -> None:
    """Start with words that are [projected key] + [rotated value], found by a like control.

    Where keys and controls are vectors of one kind (a controller's states), the read heads start
    with the same projection, so that a state finds what was stored in a similar state.

    Args:
        vectors: [H * W, control + key + value], weights from [control; item] to H words of W.
        keys: [R * W, control], weights from the control to the keys of R read heads, if any.
        word_size: W.
        sizes: of control, key and value.
    """
    projection = torch.randn(word_size, sizes.key) * KEY_GAIN / sizes.key**0.5
    for head in vectors.split(word_size):
        of_control, of_key, of_value = head.split([sizes.control, sizes.key, sizes.value], 1)
        of_control.zero_()
        of_key.copy_(projection)
        nn.init.orthogonal_(of_value)
    if keys is not None and sizes.control == sizes.key:
        keys.copy_(projection.repeat(len(keys) // word_size, 1))
